#!/usr/bin/perl
# REST: displays for KVM.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Fail;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(
    http => 'amt_timeout ' . $slow . 's; amt_budget ' . (5 * $slow) . 's;');
my $sim = AMT::Api::devices($t, count => 2);
my $guid = $sim->guid(0);
my $api = '/api/v1/amt/kvm/displays';

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub displays { $t->get("$api/$_[0]", key => $key{reader}) }
sub set {
    return $t->put("$api/$guid", key => $key{redirection},
        json => defined $_[0] ? { displayIndex => $_[0] } : {});
}
sub display {
    my ($n, $active, $x, $y, $w, $h, $default, $role) = @_;
    return qq({"displayIndex":$n,"isActive":$active,"upperLeftX":$x,)
        . qq("upperLeftY":$y,"resolutionX":$w,"resolutionY":$h,"isDefault":)
        . $default . ($role ? qq(,"role":"$role") : '') . '}';
}

is_answer(displays($guid), 200, '{"displays":['
    . join(',', display(0, 'true', 0, 0, 1920, 1080, 'true', 'primary'),
        display(1, 'true', 1920, 0, 1280, 1024, 'false', 'secondary'),
        display(2, 'false', -1, -1, 0, 0, 'false', 'tertiary'),
        display(3, 'false', -1, -1, 0, 0, 'false', 'quaternary'))
    . ']}', 'four displays');

my $r = set(1);
is($r->{status}, 200, 'the second one');
like($r->{body}, qr/^\{"IPS_KVMRedirectionSettingData":\{"BackToBackFbMode":
    false,"DefaultScreen":1,.*"InstanceID":"Intel\(r\)\ KVM\ Redirection\ 
    Settings",.*\}\}$/x, 'the whole class') or diag $r->{body};
is($sim->instances(0, 'IPS_KVMRedirectionSettingData')->[0]{DefaultScreen}, 1,
    'is the default of the device');
is_deeply([map { $_->{isDefault} ? 1 : 0 } @{displays($guid)->{json}{displays}}],
    [0, 1, 0, 0], 'and is read');
is(set('2')->{status}, 200, 'digits as text');
is($sim->instances(0, 'IPS_KVMRedirectionSettingData')->[0]{DefaultScreen}, 2,
    'the third one');

# a machine with one display: scalars, not lists

$sim->set(1, "IPS_ScreenSettingData.$_->[0]", $_->[1]) for ['IsActive', 'true'],
    ['UpperLeftX', 0], ['UpperLeftY', 0], ['ResolutionX', 800],
    ['ResolutionY', 600], ['PrimaryIndex', 0];
is_answer(displays($sim->guid(1)), 200, '{"displays":['
    . display(0, 'true', 0, 0, 800, 600, 'true', 'primary') . ']}',
    'one display');

# lists of different length: the longest one counts

$sim->set(1, 'IPS_ScreenSettingData.ResolutionX', '800|640');
$sim->set(1, 'IPS_ScreenSettingData.PrimaryIndex', 1);
is_answer(displays($sim->guid(1)), 200, '{"displays":['
    . display(0, 'true', 0, 0, 800, 600, 'true') . ','
    . display(1, 'false', 0, 0, 640, 0, 'false', 'primary') . ']}',
    'what is missing is 0');

$sim->misbehave(0, 'fault=2*1@1');
is_answer(set(0), 400, AMT::Fail::body('Incorrect URI or Bad Request',
    'IPS_KVMRedirectionSettingData: AccessDenied The sender was not '
    . 'authorized to access the resource.'), 'Put is refused');
is($sim->instances(0, 'IPS_KVMRedirectionSettingData')->[0]{DefaultScreen}, 2,
    'nothing changed');
$sim->misbehave(0, 'off');

for my $c (undef, -1, 4, 'x', '1.5', [1], '<h:x/>') {
    my $r = set($c);
    is($r->{status}, 400, 'displayIndex ' . (defined $c ? $c : 'missing'));
    is_deeply([map { "$_->{path} $_->{msg}" } @{$r->{json}{errors} || []}],
        ['displayIndex Invalid value'], 'and named') or diag $r->{body};
}

like($t->read_file('logs/audit.log'),
    qr/"kvm\.display","guid":"$guid","detail":\{"displayIndex":1\}/,
    'audit line');

AMT::Fail::routes($t, $sim, 1,
    { path => 'displays GET', scope => 'redirection',
      ask => sub { $t->get("$api/$_[0]", @_[1 .. $#_]) },
      exception => 'Exception during get KVM display setting data' },
    { path => 'displays PUT', scope => 'reader',
      ask => sub { $t->put("$api/$_[0]", @_[1 .. $#_],
          json => { displayIndex => 1 }) },
      exception => 'Exception during set KVM display setting data' });

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
