#!/usr/bin/perl

# CIRA sessions over real TLS: login, what is refused, keepalive, HTTP probe,
# replacement, what the logs say, and that nothing is left behind.
# AMT_CYCLES=10000 runs the full number of connects and disconnects.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Net::SSLeay;
use AMT::Apf;
use AMT::Stub;
use AMT::Test;
use JSON::PP;

my $t = AMT::Test->new(workers => 1);
my $hooks = AMT::Stub->new($t->dir . '/hooks.sock');
my $slow = AMT::Test::slow();

$hooks->answer('/auth', 204);
$hooks->answer('/notify', 204);

my $stream = <<'EOF';
    log_format device '[$cira_guid] [$cira_tenant] [$cira_state] '
                      '[$cira_close_reason] [$cira_channels_opened] '
                      '[$cira_data_received/$cira_data_sent] [$status] '
                      '[$bytes_received]';
    access_log %%DIR%%/logs/device.log device;

    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_auth_retry 200ms;
    cira_auth_failures 100 per 60s ban 1s;
    cira_notify http://unix:%%DIR%%/hooks.sock:/notify;
    cira_login_sessions 64;
    cira_duplicate 10 per 60s;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }

    server {
        listen 127.0.0.1:%%PORT:quick%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
        cira_login_timeout 1s;
        cira_keepalive 1s 2s;
        cira_login_messages 6;
        cira_login_buffer 1k;
    }

    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF

# ---- nginx -t ----------------------------------------------------------------

my $port = $t->port('x');
for (
    [ "server { listen 127.0.0.1:$port; cira; }", qr/needs the "ssl" param/ ],
    [ "server { listen 127.0.0.1:$port ssl; cira; cira; }", qr/duplicate/ ],
    [ "server { listen 127.0.0.1:$port ssl; return x; cira; }",
        qr/another handler/ ],
    [ 'cira_login_timeout 0;', qr/must not be 0/ ],
    [ 'cira_login_timeout x;', qr/invalid value/ ],
    [ 'cira_login_buffer 100;', qr/from 512 to 64k/ ],
    [ 'cira_login_messages 3;', qr/value must be/ ],
    [ 'cira_keepalive 30s 30s;', qr/longer than the interval/ ],
    [ 'cira_keepalive 30s;', qr/invalid number of arguments/ ],
    [ 'cira_keepalive 1500ms 30s;', qr/whole seconds/ ],
    [ 'cira_keepalive x 30s;', qr/invalid time/ ],
    [ 'cira_auth_retry 10ms;', qr/100ms or more/ ],
    [ 'cira_channels 0;', qr/value must be/ ],
    [ 'cira_channels 65;', qr/value must be/ ],
    [ 'cira_queue 0;', qr/value must be/ ],
    [ 'cira_window 16k;', qr/from 32k to 1m/ ],
    [ 'cira_window 80k kvm=1m;', qr/invalid parameter/ ],
    [ 'cira_window 80k redirection=2m;', qr/redirection size/ ],
) {
    my ($conf, $re) = @$_;
    my $server = $conf =~ /server/ ? ''
        : "server { listen 127.0.0.1:$port; return ok; }";
    my ($good, $text) = $t->check(stream => "$conf $server");
    ok(!$good && $text =~ $re, "nginx -t refuses: $conf") or diag($text);
}

# ---- login -------------------------------------------------------------------

unlink $t->dir . "/logs/error.log";          # those were to be there
$t->certs;
$t->start(stream => $stream);

my $guid = '4c4c4544-0001-4d10-8051-000000000001';

sub device { AMT::Apf->connect($t->port('cira'), @_) }
sub logged { $t->read_file('logs/device.log') }
sub wait_logged { my $re = shift; $t->wait_for(sub { logged() =~ $re }) }

# what the gateway says until it closes; 'eof' at the end
sub rest {
    my ($d) = @_;
    my @got;
    while (my $m = $d->read(5 * $slow)) {
        push @got, $m->{type} eq 'eof' ? 'eof'
            : $m->{type} == 1 ? "disconnect $m->{reason}" : $m->{type};
        last if $m->{type} eq 'eof';
    }
    return join ' ', @got;
}

sub login_of {
    my ($id, $user, $password) = @_;
    return AMT::Apf::version($id) . AMT::Apf::service($AMT::Apf::AUTH)
        . AMT::Apf::userauth($user, $password);
}

$hooks->answer('/auth', 200, '{"tenant":"acme"}');
my $d = device();
ok($d->login('admin', 'P@ssw0rd', ports => [16993, 16992]), 'a device logs in');
my $m = $d->expect(210, 3 * $slow);
is($m && "$m->{interval} $m->{timeout}", '30 0', 'keepalive options are sent');
$d->send(AMT::Apf::keepalive(4711));
is($d->expect(209)->{cookie}, 4711, 'a keepalive request is answered');
ok($t->log =~ /device logged in.*device: $guid/, 'the log line has the GUID');
ok($t->log =~ /device logged in.*client: 127\.0\.0\.1/, 'and the peer');
$d->send(AMT::Apf::disconnect(11));
is(rest($d), 'eof', 'DISCONNECT of the device');
ok(wait_logged(qr/^\Q[$guid] [acme] [ready] [device sent DISCONNECT] [0] [0\/0] [200] [\E\d+\]$/m),
    'access log') or diag(logged());
$hooks->answer('/auth', 204);

# everything in one record, and every byte in a record of its own

my $all = login_of($guid, 'admin', 'x') . AMT::Apf::service($AMT::Apf::PFWD)
    . AMT::Apf::forward(16992) . AMT::Apf::forward(16994, 0)
    . AMT::Apf::keepalive(1);

for my $step (length $all, 1) {
    $d = device();
    for (my $i = 0; $i < length $all; $i += $step) {
        $d->send(substr $all, $i, $step);
    }
    my $got = join ' ', map { $_ ? $_->{type} : '-' }
        map { $d->read(5 * $slow) } 1 .. 5;
    is($got, '6 52 6 81 209', "pipelined, $step bytes a record");
    $d->close;
}

$d = device();
$d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth_none('admin'));
$m = $d->expect(51);
is(unpack('H*', $m ? $m->{bytes} : ''), '330000000870617373776f726400',
    'the none probe gets USERAUTH_FAILURE with password');
$d->send(AMT::Apf::userauth('admin', 'x'));
ok($d->expect(52), 'and the password after it is taken');
$d->close;

# ---- refused -----------------------------------------------------------------

$hooks->answer('/auth', 403);
$d = device();
$d->send(login_of($guid, 'admin', 'wrong'));
is(rest($d), '6 51 disconnect 15 eof', 'wrong password');
ok(wait_logged(qr/^\[$guid\] \[-?\] \[verify\] \[login refused\] .*\[403\]/m),
    'access log: a claimed GUID, not logged in') or diag(logged());
$hooks->answer('/auth', 204);

for (
    [ 'a message before PROTOCOLVERSION', 'disconnect 2 eof',
        AMT::Apf::keepalive(1) ],
    [ 'an unknown message', 'disconnect 2 eof',
        AMT::Apf::version($guid), "\x02" ],
    [ 'a second PROTOCOLVERSION', 'disconnect 2 eof',
        AMT::Apf::version($guid),
        AMT::Apf::version('4c4c4544-0001-4d10-8051-000000000002') ],
    [ 'an empty GUID', 'disconnect 1 eof',
        AMT::Apf::version('00000000-0000-0000-0000-000000000000') ],
    [ 'a GUID of ones', 'disconnect 1 eof',
        AMT::Apf::version('ffffffff-ffff-ffff-ffff-ffffffffffff') ],
    [ 'pfwd before login', 'disconnect 2 eof',
        AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::PFWD) ],
    [ 'an unknown service', 'disconnect 7 eof',
        AMT::Apf::version($guid), AMT::Apf::service('none@example.org') ],
    [ 'a service name of 4 GB', 'disconnect 2 eof',
        AMT::Apf::version($guid), pack('CN', 5, 0xffffffff) ],
    [ 'a user name that is too long', '6 51 disconnect 15 eof',
        login_of($guid, 'x' x 65, 'y') ],
    [ 'no user name', '6 51 disconnect 15 eof', login_of($guid, '', 'y') ],
    [ 'data before login', '6 disconnect 2 eof',
        AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::data(1, 'x' x 1000) ],
    [ 'a new line', 'eof', "\n" ],
    [ 'some other protocol', 'eof', "SSH-2.0-x\r\n" ],
    [ 'noise', 'eof', "\xff\xfe\xfd" x 1000 ],
) {
    my ($name, $expect, @bytes) = @$_;
    $d = device();
    $d->send(join '', @bytes);
    is(rest($d), $expect, $name);
}

$d = device();
$d->login('admin', 'x');
$d->send(pack('C', 80) . AMT::Apf::str('unknown@example.org') . "\1rest");
is(rest($d), '82 disconnect 2 eof', 'an unknown global request');

$d = device();
$d->login('admin', 'x');
$d->send(pack('CNN', 94, 1, 1048577));
is(rest($d), 'disconnect 2 eof', 'data of more than 1 MB');

# ---- limits before login -----------------------------------------------------

sub quick { AMT::Apf->connect($t->port('quick')) }

$d = quick();
my $start = time;
is(rest($d), 'eof', 'a connection that says nothing is closed');
ok(time - $start < 4 * $slow, 'after cira_login_timeout');

$d = quick();
$d->send(AMT::Apf::version($guid));
is(rest($d), 'disconnect 16 eof', 'a login that stops times out');

$d = quick();
$d->send(AMT::Apf::version($guid), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth_none('admin') x 100);
is(rest($d), '6 51 51 51 51 disconnect 17 eof', 'cira_login_messages');

$d = quick();
$d->send('GET / HTTP/1.1' . "\r\nX: y" x 1000);
is(rest($d), 'eof', 'cira_login_buffer');

$hooks->answer('/auth', 500);
$d = quick();
$d->send(login_of($guid, 'admin', 'x'));
is(rest($d), '6 disconnect 18 eof', 'auth service down until the timeout');
ok($t->log =~ /auth service is down, device login is held/, 'and the log');
ok(wait_logged(qr/\[auth service is down\] .*\[503\]/), 'access log');

$d = device();
$d->send(login_of($guid, 'admin', 'x'));
$d->expect(6);
ok(!$d->read(0.7), 'down: the login is held');
$hooks->answer('/auth', 204);
ok($d->expect(52, 5 * $slow), 'and goes on when it is back');
$d->close;

# ---- dead peers --------------------------------------------------------------

$d = quick();
$d->login('admin', 'x');
my $asked = 0;
for (1 .. 3) {
    my $k = $d->expect(208, 3 * $slow) or last;
    $asked++;
    $d->send(pack 'CN', 209, $k->{cookie});
}
is($asked, 3, 'a silent device is asked, and lives while it answers');
is(rest($d), '208 disconnect 16 eof', 'and given up when it does not');

# ---- HTTP probe --------------------------------------------------------------

for my $method (qw(GET HEAD)) {
    my $s = $t->socket('cira', ssl => {});
    my $got = $t->exchange($s, "$method / HTTP/1.1\r\nHost: x\r\n\r\n");
    like($got, qr/^HTTP\/1\.1 200 OK\r\n/, "$method is answered");
    like($got, qr/\r\nConnection: close\r\n/, "$method: closed");
    is(scalar($got =~ /<html>/), $method eq 'GET' ? 1 : '', "$method: body");
    unlike($got, qr/nginx|cira/i, "$method: nothing is told");
}

my $s = $t->socket('cira', ssl => {});
like($t->exchange($s, 'GET /' . 'x' x 8000), qr/^HTTP\/1\.1 200 OK/,
    'a request line of 8 KB is cut off');

$s = $t->socket('cira');
unlike($t->exchange($s, AMT::Apf::version($guid) x 10, 3), qr/\xd2/,
    'no APF without TLS');

# ---- TLS ---------------------------------------------------------------------

$d = device(SSL_version => 'TLSv1_2');
ok($d->login('admin', 'x'), 'TLS 1.2');
my $ssl = $d->{socket}->_get_ssl_object;
Net::SSLeay::renegotiate($ssl);
{
    local $SIG{ALRM} = sub { die "timeout\n" };
    my $got;
    # the first call writes the ClientHello, the answer to it is an alert
    eval { alarm 10 * $slow; Net::SSLeay::do_handshake($ssl);
        $got = Net::SSLeay::read($ssl, 100); alarm 0 };
    alarm 0;
    is($@, '', 'renegotiation is answered');
    ok(!defined $got || $got eq '', 'and refused');
}
$d->close;

# ---- one GUID twice ----------------------------------------------------------

my $first = device();
ok($first->login('admin', 'x'), 'first connection of a GUID');
$hooks->answer('/auth', 403);
$d = device();
$d->send(login_of($guid, 'admin', 'wrong'));
like(rest($d), qr/disconnect 15/, 'a second one that is refused');
$first->send(AMT::Apf::keepalive(7));
ok($first->expect(209), 'does not disturb the first');
$hooks->answer('/auth', 204);
my $second = device();
ok($second->login('admin', 'x'), 'a second one that is let in');
like(rest($first), qr/disconnect 11 eof$/, 'replaces the first');
$second->send(AMT::Apf::keepalive(8));
ok($second->expect(209), 'and lives');

sub events {
    return map { @{decode_json($_->[2])->{events}} }
        grep { $_->[1] eq '/notify' } $hooks->requests;
}

ok($t->wait_for(sub {
    my @e = grep { $_->{guid} eq $guid } events();
    @e > 1 && $e[-1]{type} eq 'connected' && $e[-2]{type} eq 'disconnected'
        && $e[-2]{generation} < $e[-1]{generation};
}), 'the events are: old one gone, new one there')
    or diag(explain([(events())[-5 .. -1]]));

# ---- alerts ------------------------------------------------------------------

$second->send(AMT::Apf::udp("\1\2\3"));
$second->send(AMT::Apf::channel_open('direct-tcpip', 9));
$m = $second->expect(92);
is(unpack('H*', $m ? $m->{bytes} : ''),
    '5c00000009000000030000000000000000', 'a channel of the device is refused');
ok($t->wait_for(sub { 2 == grep { $_->{type} eq 'alert' } events() }),
    'both are alerts');
my ($alert) = grep { $_->{type} eq 'alert' } events();
is($alert->{reason},
    'datagram of 3 bytes to 192.168.1.1:162 from 10.0.0.5:16992',
    'the datagram is described');

# ---- exit --------------------------------------------------------------------

$t->stop;
like(rest($second), qr/eof$/, 'shutdown closes the connection');
$t->start;

# ---- nothing is left behind --------------------------------------------------

my $cycles = $ENV{AMT_CYCLES} || ($slow > 3 ? 60 : 150);
my ($pid) = $t->workers;
my ($early, $bad) = (0, 0);

for my $i (1 .. $cycles) {
    my $c = device();
    my $kind = $i % 5;

    if (!$c) {
        $bad++;

    } elsif ($kind == 0) {
        $c->send(AMT::Apf::version($guid));
        $c->close;

    } elsif ($kind == 1) {
        # gone while the auth service is asked
        $c->send(login_of($guid, 'admin', 'x'));
        $c->close;

    } else {
        $bad++ unless $c->login('admin', 'x', seconds => 5 * $slow,
            guid => sprintf('4c4c4544-0001-4d10-8051-%012x', $i % 50));
        $c->send(AMT::Apf::disconnect(11)) if $kind == 2;
        $c->close;
    }

    $early = $t->rss($pid) if $i == int($cycles / 3);
}

is($bad, 0, "$cycles connects and disconnects");
SKIP: {
    skip 'memory is not measured with sanitizers', 1 if AMT::Test::variant();
    my $grown = $t->rss($pid) - $early;
    ok($grown < 1_000_000, 'memory is flat') or diag("grown by $grown bytes");
}

unlike($t->log, qr/P\@ssw0rd/, 'no password in the log');

$t->done;
