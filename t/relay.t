#!/usr/bin/perl

# The redirection relay: who is let in, the login on the gateway's side, SOL,
# KVM and IDER sessions with the emulator, one session per kind, the ends.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64url decode_base64url);
use Time::HiRes qw(sleep time);

my $relay = 'location = /relay/webrelay.ashx { amt_relay; }
    location = /mps/ws/relay/webrelay.ashx { amt_relay; }
    location = /relay/binary { amt_relay; amt_relay_frames binary; }
    location = /relay/short { amt_relay; amt_relay_timeout 1s; }
    location = /status { amt_status; }';

my ($t, $vault) = AMT::Api::start(extra => $relay,
    http => 'log_format relay "$status $amt_relay_kind $amt_relay_end '
        . '$amt_relay_refused $amt_relay_up $amt_relay_down";'
        . ' access_log %%DIR%%/logs/relay.log relay;');
my $sim = AMT::Api::devices($t, count => 3);
my ($guid, $other, $third) = map { $sim->guid($_) } 0 .. 2;
my %key = %AMT::Api::key;

sub token {
    my ($g, $k) = @_;
    return $t->get("/api/v1/authorize/redirection/$g",
        key => $key{$k || 'admin'})->{json}{token};
}

sub flags {
    my ($g) = @_;
    my $r = $t->get("/api/v1/devices/redirectstatus/$g", key => $key{admin});
    return join '', map { $r->{json}{"is${_}Connected"} ? 1 : 0 }
        qw(KVM SOL IDER);
}

sub status {
    my (%o) = @_;
    my $v = AMT::Redir->open($t, guid => $guid, %o);
    my $s = $v->{ws}{status} // 'none';
    $v->{ws}->wait_close if $s eq 101 && $v->{ws}->close;
    return $s;
}

# ---- SOL with a token ----

{
    my $v = AMT::Redir->open($t, guid => $guid, kind => 'sol',
        token => my $token = token($guid));
    my $h = $v->{ws}{headers};

    is($v->{ws}{status}, 101, 'a token lets in');
    is($h->{'sec-websocket-protocol'}, $token, 'and comes back');
    ok(!exists $h->{'sec-websocket-extensions'}, 'no extensions');
    ok($v->login, 'login with the gateway\'s password') or diag $v->{error};
    is($v->{qop}, 'auth', 'the browser sees the challenge');
    ok($v->sol, 'SOL session');
    ok(defined $v->shows(qr/Emulated serial console\r\nC:\\> /), 'prompt');
    is($v->{ws}{op}, 1, 'text frames');
    $v->type("ver\r");
    ok(defined $v->shows(qr/ver\r\n\d+\.\d+.*C:\\> /s), 'typed and shown');
    ok($sim->wait_event('redirection', type => 'sol', state => 'start'),
        'the device has a session');
    is(flags($guid), '010', 'redirectstatus');

    $v->{ws}->text("\x28\0\0\0" . pack('Vv/a*', $v->{seq}++, "\x{80}\r"));
    ok(defined $v->shows(qr/\x80\r\nbad command: \x80/), 'bytes from 0x80');

    $v->type("bye\r");
    my @end = $v->{ws}->wait_close;
    is("@end", '1000 device closed the session', 'the device\'s end');
    ok($t->wait_for(sub { flags($guid) eq '000' }), 'flag is clear');
    like($t->log, qr/\[info\].*session ended: device closed the session.*relay: sol of $guid, caller: "key:admin"/,
        'log');
    ok($t->wait_for(sub { $t->read_file('logs/relay.log')
        =~ /^101 sol device_closed - \d{3} \d{3,}$/m }), 'access log');
}

done_testing() if 0;

# ---- done ----

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
AMT::Test::done();
