#!/usr/bin/perl

# Sessions of devices that want TLS inside the tunnel: port 16995 asked for
# or because there is no other, the certificate pinned on first use, checked
# against a root, or not at all.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;

my %o = (extra => 'location = /relay/webrelay.ashx { amt_relay; }');
my ($t, $vault) = AMT::Api::start(%o);
my $key = $AMT::Api::key{admin};
my $sim = AMT::Api::devices($t, ports => '16992,16995');
my $guid = $sim->guid(0);

sub session {
    my (%o) = @_;
    my $v = AMT::Redir->open($t, guid => $guid, key => $key, %o);
    return $v if $v->{ws}{status} == 101 && $v->login && $v->sol;
    diag $v->{error};
    return;
}

sub pin { $vault->get("devices/$guid")->{AMT_TLS_PIN} }

sub gone {
    my ($v) = @_;
    $v->{ws}->close;
    $v->{ws}->wait_close;
    close $v->{ws}{socket};
    $t->wait_for(sub { !$t->get("/api/v1/devices/redirectstatus/$guid",
        key => $key)->{json}{isSOLConnected} });
}

my $v = session(port => 16995);
ok($v, 'TLS inside');
$v->type("blast 300000\r");
my $blast = join '', map { chr(33 + $_ % 90) } 0 .. 299_999;
ok(defined $v->shows(qr/\Q$blast\E\r\nC:\\> /), 'more than windows');
my $pin = pin();
like($pin, qr/^[0-9a-f]{64}$/, 'the certificate is pinned');
is($vault->get("devices/$guid")->{AMT_PASSWORD}, 'P@ssw0rd',
    'beside the password');
gone($v);

$v = session();
ok($v, 'port 16994 is asked for, and there is 16995 only');
gone($v);
is(pin(), $pin, 'the same pin');

# a device with another certificate, and the right password

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
$sim = AMT::Api::devices($t, ports => '16992,16995');
$vault->put("devices/$guid", { AMT_PASSWORD => 'P@ssw0rd',
    MPS_PASSWORD => 'P@ssw0rd', AMT_TLS_PIN => $pin });

$v = AMT::Redir->open($t, guid => $guid, key => $key);
is(join(' ', $v->{ws}->wait_close), '1011 no secure connection to the device',
    'another certificate');
like($t->log, qr/\[error\].*of device has changed: SHA-256 is [0-9a-f]{64},.*$guid/,
    'why');
is(pin(), $pin, 'the pin stays');
ok(!grep({ $_->{event} eq 'redirection' } @{$sim->events}),
    'nothing was said to it');

# the operator takes the pin away

$vault->put("devices/$guid", { AMT_PASSWORD => 'P@ssw0rd',
    MPS_PASSWORD => 'P@ssw0rd' });
$vault->mode('race:1');
$v = session();
ok($v, 'pinned anew, with a race for the secret');
isnt(pin(), $pin, 'another pin');
gone($v);

$vault->put("devices/$guid", { AMT_PASSWORD => 'P@ssw0rd' });
$vault->mode('race:9');
$v = AMT::Redir->open($t, guid => $guid, key => $key);
is(join(' ', $v->{ws}->wait_close),
    '1011 secrets of the device are out of reach',
    'a certificate that cannot be pinned is not used');
$vault->mode('');

# other modes; with a root that has not signed it

for (['off', qr/./], ['verify', undef]) {
    my ($mode, $good) = @$_;

    $t->config(main => $AMT::Api::main, stream => AMT::Api::stream(%o),
        http => AMT::Api::http(%o, http => "amt_device_tls $mode;
        amt_device_tls_trusted_certificate %%DIR%%/root.crt;"));
    $t->reload;
    $t->wait_for(sub { $t->workers == 1 });    # the old one takes no more
    $sim->wait_connected(1);

    $vault->put("devices/$guid", { AMT_PASSWORD => 'P@ssw0rd',
        AMT_TLS_PIN => '0' x 64 });

    if ($good) {
        $v = session();
        ok($v, "$mode: not looked at");
        gone($v) if $v;
    } else {
        $v = AMT::Redir->open($t, guid => $guid, key => $key);
        is(join(' ', $v->{ws}->wait_close),
            '1011 no secure connection to the device', "$mode: not trusted");
        like($t->log, qr/certificate of device is not trusted: self.signed/,
            'why');
    }
}

# a device that speaks no TLS there

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

my @check = $t->check(main => $AMT::Api::main, stream => AMT::Api::stream(),
    http => AMT::Api::http(%o, http => 'amt_device_tls verify;'));
ok(!$check[0] && $check[1] =~ /needs "amt_device_tls_trusted_certificate"/,
    'verify needs a root');

AMT::Test::done();
