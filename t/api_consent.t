#!/usr/bin/perl
# REST: user consent - asked for, sent, cancelled; wrong codes, wrong states.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2, control_mode => 'client');
my $guid = $sim->guid(0);
my $api = '/api/v1/amt/userConsentCode';

sub start { $t->get("$api/$guid", key => $key{redirection}) }
sub cancel { $t->get("$api/cancel/$guid", key => $key{redirection}) }
sub code {
    return $t->post("$api/$guid", key => $key{redirection},
        json => { consentCode => $_[0] });
}
sub state { $sim->instances(0, 'IPS_OptInService')->[0]{OptInState} }

sub is_body {
    my ($r, $status, $method, $value, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($n, $text) = split / /, $value;
    my $want = qq({"ReturnValue":$n) . ($text ? qq(,"ReturnValueStr":"$text")
        : '') . '}';
    my $re = qr{^$status \{"Header":\{"To":".*"Action":"[^"]*/${method}}
        . qr{Response".*\},"Body":\Q$want\E\}$};
    like("$r->{status} $r->{body}", qr{$re}, $name);
}

is_body(cancel(), 400, 'CancelOptIn', '2 NOT_READY', 'nothing to cancel');
is_body(code('123456'), 400, 'SendOptInCode', '2 NOT_READY', 'nothing to send');
is_body(start(), 200, 'StartOptIn', '0 SUCCESS', 'started');
is(state(), 2, 'the code is shown');
is_body(start(), 400, 'StartOptIn', '2 NOT_READY', 'started twice');
is_body(cancel(), 200, 'CancelOptIn', '0 SUCCESS', 'cancelled');
is(state(), 0, 'nothing is shown');

# as text, as text with zeros, as number that has lost them

start();
my $n = $sim->state(0)->{consent_code};
is_body(code(sprintf '%06d', $n), 200, 'SendOptInCode', '0 SUCCESS',
    'right code');
is(state(), 3, 'consent is given');
cancel();
start();
$sim->set(0, 'consent-code', 42);
is_body(code('000042'), 200, 'SendOptInCode', '0 SUCCESS', 'leading zeros');
cancel();
start();
$sim->set(0, 'consent-code', 42);
is_body(code(42), 200, 'SendOptInCode', '0 SUCCESS', 'a number');
cancel();

start();
$sim->set(0, 'consent-code', 42);
is_body(code('000043'), 400, 'SendOptInCode', '1 INTERNAL_ERROR',
    'wrong code');
is_body(code('000043'), 400, 'SendOptInCode', '1 INTERNAL_ERROR', 'twice');
is_body(code('000043'), 400, 'SendOptInCode', '3 INVALID_PT_MODE', 'blocked');
is_body(code('000042'), 400, 'SendOptInCode', '2 NOT_READY', 'too late');

$sim->misbehave(0, 'return=2066');
is_body(start(), 400, 'StartOptIn', '2066 UNSUPPORTED', 'not supported');
$sim->misbehave(0, 'return=777');
is_body(start(), 400, 'StartOptIn', '777', 'a value without name');
$sim->misbehave(0, 'off');

for my $c (undef, '', 'abc', '1234567', -1, 1000000, '12.5', 1.5, [1], '+5') {
    my $r = $t->post("$api/$guid", key => $key{redirection},
        json => defined $c ? { consentCode => $c } : {});
    my $name = defined $c ? $c : 'missing';
    is($r->{status}, 400, "code $name");
    is_deeply([map { "$_->{path} $_->{msg} $_->{location}" }
        @{$r->{json}{errors} || []}], ['consentCode Invalid value body'],
        'told once') or diag $r->{body};
}

my @lines = $t->read_file('logs/audit.log') =~ /"action":"(consent\.\w+)"/g;
is_deeply({ map { $_ => 1 } @lines },
    { map { ("consent.$_" => 1) } qw(start cancel send) }, 'audit lines');
unlike($t->read_file('logs/audit.log'), qr/000042/, 'without codes');

AMT::Fail::routes($t, $sim, 1,
    { path => 'start', scope => 'reader',
      ask => sub { $t->get("$api/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during User Consent Request' },
    { path => 'cancel', scope => 'reader',
      ask => sub { $t->get("$api/cancel/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during User Consent Cancel' },
    { path => 'send', scope => 'reader',
      ask => sub { $t->post("$api/$_[0]", @_[1 .. $#_],
          json => { consentCode => '123456' }) },
      exception => 'Exception during User Consent Sent' });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
