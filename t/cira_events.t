#!/usr/bin/perl

# What devices say of themselves goes through events to the hooks of the API
# plane: whatever bytes they choose, the events behind theirs arrive.  And a
# login with such bytes is a wrong one, not a service that is down.

use strict;
use warnings;
use Test::More;
use AMT::Apf;
use AMT::Api;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(stream => 'cira_auth_failures off;');
my @guid = map { "a0000000-0000-4000-8000-00000000000$_" } 1 .. 2;

for (@guid) {
    my $r = $t->post('/api/v1/devices', key => $key{admin}, json => {
        guid => $_, mpsusername => 'standalone', mpspassword => 'P@ssw0rd',
        amtpassword => 'P@ssw0rd' });
    is($r->{status}, 201, 'a device of the store');
}

sub device {
    my $d = AMT::Apf->connect($t->port('cira'));
    return $d->login('standalone', 'P@ssw0rd', guid => $_[0], seconds => 5 * $slow)
        ? $d : undef;
}

sub connected {
    my ($guid, $want) = @_;
    return $t->wait_for(sub {
        my $json = $t->get("/api/v1/devices/$guid", key => $key{admin})->{json};
        ($json->{connectionStatus} ? 1 : 0) == $want;
    }, 8);
}

# a datagram from one address to another, the strings as they are
sub datagram {
    my ($to, $from) = @_;
    return pack('C', 80) . AMT::Apf::str('udp-send-to@amt.intel.com') . "\0"
        . AMT::Apf::str($to) . pack('N', 162) . AMT::Apf::str($from)
        . pack('N', 1) . AMT::Apf::str('x');
}

my $hostile = device($guid[0]);
ok($hostile, 'a device that will send anything');
ok(connected($guid[0], 1), 'is connected');

my $all = join '', map { chr } 0 .. 255;

for (
    [ 'NUL', "a\0b" ], [ 'all bytes', substr $all, 0, 255 ],
    [ 'no UTF-8', "\xff\xfe\xed\xa0\x80\xc0\x80" ],
    [ 'quotes', '"\\"},{"type":"disconnected"' ],
    [ 'more than an event takes', "\1" x 255 ],
) {
    my ($what, $bytes) = @$_;

    $hostile->send(datagram($bytes, $bytes));

    my $d = device($guid[1]);
    ok($d, 'another device comes');
    ok(connected($guid[1], 1), "and is told of behind $what");
    $d->close if $d;
    ok(connected($guid[1], 0), 'so is that it goes');
}

unlike($t->log, qr/cira_notify answered/, 'no event was refused');
ok(connected($guid[0], 1), 'the first is connected as ever');

# ---- logins ------------------------------------------------------------------

for (
    [ 'a password with NUL', 'standalone', "P\@ssw0rd\0" ],
    [ 'a user with NUL', "standalone\0", 'P@ssw0rd' ],
    [ 'a password of NUL', 'standalone', "\0" ],
    [ 'no password', 'standalone', '' ],
    [ 'a password that is no UTF-8', 'standalone', "\xff" ],
    [ 'the longest', 'u' x 64, "\1" x 64 ],
) {
    my ($what, $user, $password) = @$_;
    my $d = AMT::Apf->connect($t->port('cira'));

    $d->send(AMT::Apf::version($guid[1]), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::userauth($user, $password));
    ok($d->expect(51, 3 * $slow), "$what is refused");
    my $m = $d->expect(1, 3 * $slow);
    is($m && $m->{reason}, 15, 'as a wrong login');
    $d->close;
}

unlike($t->log, qr/auth service is down|cira_auth answered/, 'nobody took it for down');

$hostile->close;
ok(connected($guid[0], 0), 'all events have arrived');
$t->done;
