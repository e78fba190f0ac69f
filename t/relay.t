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
my $sim = AMT::Api::devices($t, count => 3, ports => '16992,16994,5900');
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
    close $v->{ws}{socket};
    ok($t->wait_for(sub { flags($guid) eq '000' }), 'flag is clear');
    like($t->log, qr/\[info\].*session ended: device closed the session.*relay: sol of $guid, caller: "key:admin"/,
        'log');
    ok($t->wait_for(sub { $t->read_file('logs/relay.log')
        =~ /^101 sol device_closed - \d{3} \d{3,}$/m }), 'access log');
}


# ---- who is let in ----

sub jwt {
    my ($claims, %o) = @_;
    my $head = encode_base64url($o{head} // '{"alg":"HS256","typ":"JWT"}');
    my $body = encode_base64url(ref $claims
        ? JSON::PP->new->canonical->encode($claims) : $claims);
    my $sig = hmac_sha256("$head.$body", $o{key} // 'k' x 48);
    return "$head.$body." . encode_base64url($sig);
}

my $good = token($guid);
my %claims = %{JSON::PP->new->decode(decode_base64url((split /\./, $good)[1]))};

{
    is(status(token => jwt(\%claims)), 101, 'claims signed by the test');

    my ($h, $b, $sig) = split /\./, $good;
    my @refused = (
        [ 'no token', undef ],
        [ 'a word', 'token' ],
        [ 'dots only', '..' ],
        [ 'two parts', "$h.$b" ],
        [ 'no signature', "$h.$b." ],
        [ 'four parts', "$good.x" ],
        [ 'wrong signature', "$h.$b." . ('A' x 43) ],
        [ 'one bit', "$h.$b." . ($sig =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/er) ],
        [ 'alg none', encode_base64url('{"alg":"none","typ":"JWT"}')
            . ".$b." ],
        [ 'HS512', jwt(\%claims, head => '{"alg":"HS512","typ":"JWT"}') ],
        [ 'another key', jwt(\%claims, key => 'x' x 48) ],
        [ 'claims are no JSON', jwt('x{') ],
        [ 'claims are an array', jwt([]) ],
        [ 'no claims', jwt({}) ],
        [ 'expired', jwt({ %claims, exp => int(time) - 1 }) ],
        [ 'exp is text', jwt({ %claims, exp => '9999999999' }) ],
        [ 'no exp', jwt({ map { $_ => $claims{$_} } grep { $_ ne 'exp' }
            keys %claims }) ],
        [ 'another issuer', jwt({ %claims, iss => 'x' }) ],
        [ 'another device', token($other) ],
        [ 'a login token', jwt({ %claims, deviceId => '*' }) ],
        [ 'no device', jwt({ %claims, deviceId => '' }) ],
        [ 'another tenant', jwt({ %claims, tenantId => 'T' }) ],
        [ 'another subject', jwt({ %claims, sub => 'key:reader' }) ],
        [ 'no subject', jwt({ %claims, sub => 'key:nobody' }) ],
        [ 'two tokens', "$good, $good" ],
        [ 'an API key', $key{admin} ],
    );
    for (@refused) {
        is(status(token => $_->[1]), 401, "401: $_->[0]");
    }

    my $v = AMT::Redir->open($t, guid => $guid, token => 'x');
    is($v->{ws}{body}, 'Unauthorized', 'body');
    is($v->{ws}{headers}{'content-type'}, 'text/html', 'content type');
    is($v->{ws}{headers}{'connection'}, 'close', 'closed');

    ok(!grep({ $_->{error} } @{$sim->events}), 'no device noticed');
    is($sim->stats->{violations} // 0, 0, 'nor was bothered');
}

{
    is(status(key => $key{admin}), 101, 'API key');
    is(status(key => $key{redirection}), 101, 'with the scope alone');
    is(status(headers => { Authorization => "Bearer $key{redirection}" }),
        101, 'as bearer');
    is(status(key => $key{reader}), 403, 'without the scope');
    is(status(key => $key{tenant}), 401, 'of another tenant');
    is(status(key => 'wrong'), 401, 'wrong key');
    is(status(headers => { Authorization => "Bearer $good" }), 401,
        'a redirection token is no bearer token');
    is(status(key => $key{admin}, token => 'x'), 401,
        'a bad token is not forgiven for a key');
    is(status(key => $key{redirection}, args => '&force=1'), 403,
        'force without the scope');

    is(status(token => token(uc $guid)), 101, 'GUIDs in any case');
    is(status(token => $good, guid => uc $guid), 101, 'here, too');
}

{
    my %bad = ('port' => [ port => 16992 ], 'port 0' => [ port => '' ],
        'UDP port' => [ port => 623 ], 'kind of 5900' => [ port => 5900 ],
        'port twice' => [ args => '&port=16994' ],
        'mode twice' => [ args => '&mode=kvm' ],
        'force' => [ args => '&force=2' ],
        'force without mode' => [ no_mode => 1, args => '&force=1' ]);

    for (sort keys %bad) {
        is(status(key => $key{admin}, kind => 'sol', @{$bad{$_}}), 400,
            "400: $_");
    }
    is(status(token => $good, args => "&host=$guid"), 401, 'host twice');
    is(status(key => $key{admin}, args => "&host=$guid"), 400,
        'with a key');
    is(status(key => $key{admin}, guid => 'x'), 400, 'host');
    is(status(key => $key{admin}, guid => ''), 400, 'no host');
    is(status(token => $good, args => '&tls=1&user=x&x=y&&=&host'), 401,
        'an empty second host');
    is(status(token => $good, args => '&serverauth=1&user=x&x=y&&=&p2'), 101,
        'what is not known is ignored');

    my $gone = 'a0000000-0000-4000-8000-0000000000ff';
    is(status(key => $key{admin}, guid => $gone), 401, 'not connected');
    is($t->get('/relay/webrelay.ashx', key => $key{admin})->{status}, 426,
        'no WebSocket');
    is($t->post('/relay/webrelay.ashx', key => $key{admin})->{status}, 405,
        'no GET');
    is(status(token => $good, headers => { Origin => 'http://evil.test' }),
        403, 'a foreign page');

    my $v = AMT::Redir->open($t, guid => $guid, kind => 'kvm',
        path => '/mps/ws' . AMT::Redir::path(guid => $guid, kind => 'kvm'),
        token => token($guid));
    is($v->{ws}{status}, 101, 'the reference gateway\'s layout');
    $v->{ws}->close;
    is(join(' ', $v->{ws}->wait_close), '1000 ', 'the browser\'s end');
}

# ---- a device of a tenant: its tokens say which, whoever asks for them ----

{
    my $theirs = 'b0000000-0000-4000-8000-000000000001';
    my $sim = AMT::Api::devices($t, guid => $theirs, key => 'tenant');
    my $claims = sub { decode_base64url((split /\./, $_[0])[1]) };

    for my $k (qw(tenant gateway)) {
        my $token = token($theirs, $k);
        like($claims->($token), qr/"tenantId":"T"/, "token of key $k");
        is(status(guid => $theirs, token => $token), 101, 'lets in');
    }
    is(token($theirs, 'admin'), undef, 'none for the default tenant');
    is(token($theirs, 'other'), undef, 'nor for another one');
    like($claims->(token($guid, 'gateway')), qr/"tenantId":""/,
        'a device of the default tenant');
    is(status(token => token($guid, 'gateway')), 101, 'lets in');

    my %claims = %{JSON::PP::decode_json($claims->(token($theirs, 'gateway')))};
    for ('', 'U') {
        is(status(guid => $theirs, token => jwt({ %claims, tenantId => $_ })),
            401, "not with tenant '$_'");
    }
    $sim->stop;
}

like($t->read_file('logs/audit.log'), qr/"who":"key:redirection".*"action":"redirection","guid":"$guid","detail":\{"mode":"sol","port":16994,"login":true,"force":false,"recorded":false\}/, 'audit');

# ---- the login ----

{
    my $v = AMT::Redir->open($t, guid => $guid, kind => 'kvm',
        key => $key{admin}, path => AMT::Redir::path(guid => $guid,
            kind => 'kvm') =~ s/webrelay\.ashx/binary/r);
    ok($v->login, 'KVM') or diag $v->{error};
    ok($v->kvm, 'RFB');
    is("$v->{width}x$v->{height}", '640x400', 'size');
    is($v->{ws}{op}, 2, 'binary frames');
    $v->{ws}->send("\x04\1\0\0\0\0\0a");
    ok($sim->wait_event('key', key => 97, down => 1), 'a key');
    is(flags($guid), '100', 'redirectstatus');

    my $s = AMT::Redir->open($t, guid => $guid, kind => 'sol',
        key => $key{admin});
    ok($s->login && $s->sol, 'SOL beside it');
    my $i = AMT::Redir->open($t, guid => $guid, kind => 'ider',
        key => $key{admin});
    ok($i->login, 'IDER beside them');
    is(flags($guid), '111', 'all three');
    is(flags($other), '000', 'of this device');
    is(status(kind => 'kvm', token => $good), 401, 'a second KVM is refused');
    is($t->get("/api/v1/devices/redirectstatus/$guid",
        key => $key{tenant})->{status}, 401, 'not for another tenant');

    undef $_ for $s, $i;
    ok($t->wait_for(sub { flags($guid) eq '100' }), 'browsers lost');
    $v->{ws}->close;
    $v->{ws}->wait_close;
    ok($t->wait_for(sub { flags($guid) eq '000' }), 'browser left');
    is(status(kind => 'kvm', token => $good), 101, 'and is let in again');
}

{
    $vault->put("devices/$other", { AMT_PASSWORD => 'not-it' });

    my $v = AMT::Redir->open($t, guid => $other, key => $key{admin});
    ok(!$v->login(tries => 2), 'wrong password');
    my @end = $v->{ws}->wait_close;
    is("@end", '1008 device refused the AMT password', 'two tries, no more');
    like($t->log, qr/\[error\].*refused the AMT password.*$other/, 'logged');
    unlike($t->log, qr/not-it|P\@ssw0rd/, 'without the password');
}

for ([ "\x40", 1002, qr/unknown message/ ],
    [ "\x10\0\0\0VNC ", 1002, qr/unknown kind/ ],
    [ "\x10\1\0\0KVMR", 1002, qr/another session than/ ],
    [ "\x13\0\0\0\0\0\0\0\0", 1002, qr/out of order/ ],
    [ "\x10\0\0\0SOL \x10\0\0\0SOL ", 1002, qr/out of order/ ])
{
    my $v = AMT::Redir->open($t, guid => $guid, key => $key{admin});
    $v->{ws}->send($_->[0]);
    my ($code, $reason) = $v->{ws}->wait_close;
    is($code, $_->[1], "misuse: $reason");
    like($reason, $_->[2], 'reason');
}

{
    my $v = AMT::Redir->open($t, guid => $guid, key => $key{admin},
        path => AMT::Redir::path(guid => $guid, kind => 'sol')
            =~ s/webrelay\.ashx/short/r);
    $v->{ws}->send("\x10\0");
    my @end = $v->{ws}->wait_close;
    is("@end", '4002 no login in time', 'time for the login');
}

{
    # one byte a frame, text and fragments, more than one message at once
    my $v = AMT::Redir->open($t, guid => $guid, key => $key{admin});
    my $ws = $v->{ws};
    $ws->raw($ws->frame(0x01, "\x10\0\0") . $ws->frame(0x00, "\0SO")
        . $ws->frame(0x89, 'ping') . $ws->frame(0x80, "L "));
    is($ws->read(13), "\x11\0\0\0\1\0\0\0\0\0\0\0\0", 'in pieces');
    $ws->send($_) for split //, "\x13\0\0\0\4\x08" . "\0" x 11;
    my ($code, $status, $type, $data) = $v->reply;
    is("$code $status $type", '20 1 4', 'a challenge');
    $ws->close;
}

# ---- without mode, without a password ----

{
    my $v = AMT::Redir->open($t, guid => $guid, kind => 'sol', no_mode => 1,
        key => $key{admin});
    is(flags($guid), '000', 'no mode, no flag');
    ok($v->login && $v->sol, 'the first bytes tell');
    is(flags($guid), '010', 'then it has one');
    my $w = AMT::Redir->open($t, guid => $guid, kind => 'sol', no_mode => 1,
        key => $key{admin});
    $w->{ws}->send("\x10\0\0\0SOL ");
    is(join(' ', $w->{ws}->wait_close), '1013 another session is open',
        'a second one is told late');
    is(flags($guid), '010', 'the first one is not harmed');
    $v->{ws}->close;
}

{
    # p=1: the browser logs in by itself, with an error here
    $t->wait_for(sub { flags($guid) eq '000' });
    my $v = AMT::Redir->open($t, guid => $guid, kind => 'sol', p => 1,
        key => $key{admin});
    ok(!$v->login(uri => '/RedirectionService'), 'nobody replaces the password');
    is($v->{error}, 'login: status 1', 'the device refuses it');
    $v->{ws}->close;
}

{
    # VNC: the device speaks first, nobody logs in, the login's time is over
    $t->wait_for(sub { flags($guid) eq '000' });
    my $v = AMT::Redir->open($t, guid => $guid, kind => 'kvm', port => 5900,
        key => $key{admin}, path => AMT::Redir::path(guid => $guid,
            kind => 'kvm', port => 5900) =~ s/webrelay\.ashx/short/r);
    is($v->{ws}->read(12), "RFB 003.008\n", 'port 5900');
    is(flags($guid), '100', 'is KVM');
    sleep 1.3;
    $v->{ws}->send("RFB 003.008\n");
    is($v->{ws}->read(2), "\x01\x01", 'stays open');
    $v->{ws}->close;
    $v->{ws}->wait_close;
}

# ---- takeover ----

{
    $t->wait_for(sub { flags($guid) eq '000' });
    my $v = AMT::Redir->open($t, guid => $guid, key => $key{admin});
    ok($v->login && $v->sol, 'a session');
    my $w = AMT::Redir->open($t, guid => $guid, token => token($guid),
        args => '&force=1');
    is($w->{ws}{status}, 101, 'force');
    is(join(' ', $v->{ws}->wait_close), '4001 session was taken over',
        'the loser is told');
    ok($w->login && $w->sol, 'the winner has it');
    is(flags($guid), '010', 'one session');
    $w->{ws}->close;
    $w->{ws}->wait_close;
}

# ---- ends ----

{
    my $v = AMT::Redir->open($t, guid => $third, key => $key{admin});
    ok($v->login && $v->sol, 'a session');
    $sim->drop(2, 'rst');
    is(join(' ', $v->{ws}->wait_close),
        '1001 device is not connected any longer', 'device lost');
    ok($t->wait_for(sub { $t->get("/api/v1/devices/redirectstatus/$third",
        key => $key{admin})->{status} == 404 }), 'no status');

    $vault->mode('sealed');
    $v = AMT::Redir->open($t, guid => $guid, key => $key{admin});
    is(join(' ', $v->{ws}->wait_close),
        '1011 secrets of the device are out of reach', 'Vault is sealed');
    $vault->mode('');

    $vault->put("devices/$other", { MPS_PASSWORD => 'P@ssw0rd' });
    $v = AMT::Redir->open($t, guid => $other, key => $key{admin});
    ok(!$v->login(uri => '/RedirectionService') && $v->{error} eq 'login: status 1',
        'no password: the browser\'s own goes to the device');
    $v->{ws}->close;
}

{
    my $r = $t->get('/status')->{json}{relay};
    is($r->{kvm} + $r->{sol} + $r->{ider}, 0, 'counters: none is open');
    cmp_ok($r->{started}, '>', 20, 'started');
    cmp_ok($r->{refused}, '>', 40, 'refused');
    is($r->{ended_taken_over}, 1, 'taken over');
    is($r->{ended_password}, 1, 'password');
    is($r->{ended_timeout}, 1, 'timeout');
    is($r->{ended_device_lost}, 1, 'device lost');
    is($r->{ended_internal}, 0, 'no internal errors');
}

# ---- done ----

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
AMT::Test::done();
