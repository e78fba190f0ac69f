#!/usr/bin/perl

# CONNECT listeners: requests, answers, access, channels, release, the slot,
# and LIST, LOCATE and EVICT of private listeners.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $slow = AMT::Test::slow();
my $t = AMT::Test->new(workers => 1, $> == 0 ? (user => 'www-data') : ());
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');
chmod 0666, $t->dir . '/hooks.sock';

$stub->answer('/auth', 200, '{"tenant":"blue"}');

$t->write_file('secret', "# who\noperator:0123456789abcdef\n", 0600);

my $common = <<'EOS';
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_queue 3;
    cira_connect_timeout 2s;
    log_format c '$cira_connect_status|$cira_connect_guid|$cira_connect_port'
                 '|$cira_owner|$cira_connect_reason|$bytes_received';

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server {
        listen unix:%%DIR%%/cira.sock;
        access_log %%DIR%%/logs/connect.log c;
        cira_connect;
    }
EOS

my $stream = $common . <<'EOS';
    server {
        listen 127.0.0.1:%%PORT:shell%%;
        cira_connect;
        cira_connect_secret %%DIR%%/secret;
    }
    server {
        listen unix:%%DIR%%/nobody.sock;
        cira_connect;
        cira_connect_allow nobody;
    }
EOS

my $sock = $t->dir . '/cira.sock';
my $guid = '4c4c4544-0001-4d10-8051-000000000001';
my $none = '4c4c4544-0001-4d10-8051-0000000000ff';

# ---- what nginx -t says ----------------------------------------------------

$t->certs;
$t->write_file('open', "u:0123456789abcdef\n", 0644);
$t->write_file('short', "u:secret\n", 0600);
$t->write_file('nothing', "\n", 0600);
mkdir $t->dir . '/wide';
chmod 0755, $t->dir . '/wide';

my $ssl = 'ssl_certificate %%DIR%%/mps.crt; ssl_certificate_key %%DIR%%/mps.key;';
my $zone = 'cira_path %%DIR%%/cira; cira_zone z 1m;';

for (
    [ 'server { listen unix:%%DIR%%/x; cira_connect; }', qr/needs "cira_zone"/ ],
    [ "$zone server { listen 127.0.0.1:1; cira_connect; }",
        qr/needs "ssl" and "ssl_verify_client on"/ ],
    [ "$zone server { listen 127.0.0.1:1 ssl; $ssl cira_connect; }",
        qr/needs "ssl" and "ssl_verify_client on"/ ],
    [ "$zone server { listen 127.0.0.1:1 ssl; $ssl ssl_verify_client optional;"
        . " ssl_client_certificate %%DIR%%/root.crt; cira_connect; }",
        qr/needs "ssl" and "ssl_verify_client on"/ ],
    [ "$zone server { listen 1; cira_connect; cira_connect_secret secret; }",
        qr/or on a loopback address/ ],
    [ "$zone server { listen 127.0.0.1:1 udp; cira_connect; }", qr/on udp/ ],
    [ "$zone server { listen 127.0.0.1:1; cira_connect; cira_connect_secret open; }",
        qr/must not be readable by others/ ],
    [ "$zone server { listen 127.0.0.1:1; cira_connect; cira_connect_secret short; }",
        qr/16 characters/ ],
    [ "$zone server { listen 127.0.0.1:1; cira_connect; cira_connect_secret nothing; }",
        qr/has no secret/ ],
    [ "$zone server { listen unix:%%DIR%%/x; cira_connect; cira_connect; }", qr/duplicate/ ],
    [ "$zone server { listen unix:%%DIR%%/x; return x; cira_connect; }",
        qr/conflicts with another handler/ ],
    [ "$zone server { listen unix:%%DIR%%/x; cira_connect; cira_connect_allow no-such-user; }",
        qr/getpwnam/ ],
    [ 'cira_zone z 32k;', qr/too small/ ],
    [ 'cira_zone z 1x;', qr/invalid zone size/ ],
    [ 'cira_zone z 1m; cira_zone y 1m;', qr/duplicate/ ],
    [ 'cira_zone z 1m; cira_path %%DIR%%/wide;', qr/mode 0700/ ],
    [ 'cira_zone z 1m; cira_path /' . 'a' x 100 . ';', qr/too long/ ],
    [ 'cira_duplicate 10 in 60s;', qr/must be "N per TIME/ ],
    [ 'cira_duplicate 0 per 60s;', qr/invalid number/ ],
    [ 'cira_duplicate 10 per 1x;', qr/invalid time/ ],
    [ 'cira_duplicate 10 per 60s ban 0;', qr/invalid time/ ],
) {
    my ($text, $re) = @$_;
    my ($good, $out) = $t->check(stream => $text);
    ok(!$good && $out =~ $re, "nginx -t refuses: $text") or diag($out);
}

for (
    "$zone server { listen 127.0.0.1:1 ssl; $ssl ssl_verify_client on;"
        . ' ssl_client_certificate %%DIR%%/root.crt; cira_connect; }',
    "$zone server { listen 1 ssl; $ssl cira_connect; cira_connect_secret secret; }",
    "$zone server { listen [::1]:1; cira_connect; cira_connect_secret secret; }",
    "$zone cira_duplicate 3 per 10s ban 1m; cira_drain 5m;",
) {
    my ($good, $out) = $t->check(stream => $_);
    ok($good, "nginx -t accepts: $_") or diag($out);
}
unlink $t->dir . '/logs/error.log';

# ---- requests ----------------------------------------------------------------

$t->start(stream => $stream);

my $half = AMT::Dial->raw($sock, "CONNECT $guid:16992 HTTP/1.1\r\nHost");
my $mute = AMT::Dial->raw($sock, '');
my $started = time;

for (
    [ 405, 'GET / HTTP/1.1' ],
    [ 405, 'POST /x HTTP/1.0' ],
    [ 405, "LIST * HTTP/1.1" ],
    [ 405, "LOCATE $guid HTTP/1.1" ],
    [ 405, "EVICT $guid:1 HTTP/1.1" ],
    [ 405, "ASK $guid:1 HTTP/1.1" ],
    [ 400, "CONNECT $guid HTTP/1.1" ],
    [ 400, "CONNECT $guid:0 HTTP/1.1" ],
    [ 400, "CONNECT $guid:016992 HTTP/1.1" ],
    [ 400, "CONNECT $guid:65536 HTTP/1.1" ],
    [ 400, "CONNECT $guid:16992x HTTP/1.1" ],
    [ 400, "CONNECT u\@$guid:16992 HTTP/1.1" ],
    [ 400, "CONNECT x:16992 HTTP/1.1" ],
    [ 400, "CONNECT  $guid:16992 HTTP/1.1" ],
    [ 400, "CONNECT $guid:16992  HTTP/1.1" ],
    [ 400, "CONNECT $guid:16992 HTTP/2.0" ],
    [ 400, "CONNECT $guid:16992" ],
    [ 400, "connect $guid:16992 HTTP/1.1" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nno colon" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\n folded: x" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nHost : x" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nContent-Length: 5" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nTransfer-Encoding: chunked" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nCIRA-Release: gzip" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nCIRA-Slot: x" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nCIRA-Fresh: 2" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nCIRA-Fresh: 1\r\nCIRA-Fresh: 1" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nCIRA-Tenant: " . 'a' x 37 ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nX: a\0b" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\nHost: x" ],
    [ 400, "CONNECT $guid:16992 HTTP/1.1\r\nX: " . 'a' x 1024 ],
    [ 400, "\x16\x03\x01\x02\x00" ],
    [ 403, "CONNECT $guid:80 HTTP/1.1" ],
    [ 404, "CONNECT $none:16992 HTTP/1.1" ],
    [ 404, "CONNECT $none:16992 HTTP/1.1\r\nHost: $none:16992\r\n"
        . "User-Agent: curl\r\nProxy-Connection: Keep-Alive" ],
) {
    my ($status, $text) = @$_;
    my ($got, $headers, $body) = AMT::Dial::ask($sock, $text);
    (my $shown = $text) =~ s/[^ -~]/./g;
    is($got, $status, "$status: " . substr $shown, 0, 70);
    is(length($body // ''), $headers->{'content-length'}, 'and its body says why')
        if $headers->{'content-length'};
}

my $byte = AMT::Dial->raw($sock, '');
for (split //, "CONNECT $none:16992 HTTP/1.1\r\nHost: x\r\n\r\n") {
    $byte->send($_);
    sleep 0.002;
}
is($byte->status, 404, 'a request byte by byte');

# ---- who may ask ---------------------------------------------------------------

SKIP: {
    skip 'needs root', 4 if $>;

    my $as = sub {
        my ($user, $path) = @_;
        my $uid = getpwnam $user;
        my $pid = open(my $out, '-|') // die;
        if (!$pid) {
            POSIX::setuid($uid);
            my ($s) = AMT::Dial::ask($path, "CONNECT $none:16992 HTTP/1.1");
            print $s // 'none';
            POSIX::_exit(0);
        }
        return scalar <$out>;
    };
    is($as->('nobody', $sock), 403, 'another local user is refused');
    is($as->('www-data', $sock), 404, "the worker's user is not");
    is($as->('nobody', $t->dir . '/nobody.sock'), 404, 'cira_connect_allow');
    ok($t->log =~ /peer's uid is \d+/, 'the log names the uid');
}

my $shell = $t->port('shell');
my ($status, $headers) = AMT::Dial::ask($shell, "CONNECT $none:16992 HTTP/1.1");
is($status, 407, 'TCP without credentials');
like($headers->{'proxy-authenticate'}, qr/^Basic /, 'with a challenge');
for ([ 'operator:0123456789abcdef', 404 ], [ 'operator:0123456789abcdeg', 407 ],
    [ 'operator:', 407 ])
{
    my ($user, $want) = @$_;
    require MIME::Base64;
    my $auth = MIME::Base64::encode_base64($user, '');
    ($status) = AMT::Dial::ask($shell, "CONNECT $none:16992 HTTP/1.1\r\n"
        . "Proxy-Authorization: Basic $auth");
    is($status, $want, "credentials, $want");
}
ok($t->log !~ /0123456789abcde|b3BlcmF0b3I6MDEy/, 'none of them in the log');

my $where = join ' ', glob $t->dir . '/cira/*.sock';
like($where, qr{^\S+/[0-9a-f]{16}\.sock$}, 'one private listener');
is((stat $t->dir . '/cira')[2] & 0777, 0700, 'in a directory with mode 0700');
is((stat $where)[2] & 0777, 0600, 'its socket has mode 0600');
SKIP: {
    skip 'needs root', 4 if $>;
    is((stat $where)[4], scalar getpwnam 'www-data', 'and belongs to the worker');

    # whatever somebody does to their permissions
    chmod 0755, $t->dir, $t->dir . '/cira';
    chmod 0666, $where;
    for ([ 'nobody', 'none' ], [ 'www-data', 200 ]) {
        my ($user, $want) = @$_;
        my $pid = open(my $out, '-|') // die;
        if (!$pid) {
            POSIX::setuid(scalar getpwnam $user);
            my ($got) = AMT::Dial::ask($where, 'LIST * HTTP/1.1', 3);
            print $got || 'none';
            POSIX::_exit(0);
        }
        is(scalar <$out>, $want, "a private listener and $user: $want");
    }
    like($t->log, qr/connection of uid \d+ to unix:\S+ refused/, 'which the log tells');
    chmod 0600, $where;
    chmod 0700, $t->dir . '/cira';
    chmod 0711, $t->dir;
}

# ---- a channel -----------------------------------------------------------------

my $d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x', ports => [ 16992, 16994 ]), 'a device connects');

sub opened {
    my ($port, %h) = @_;
    my $c = AMT::Dial->new($sock, $guid, $port, %h);
    my $m = $d->expect(90) or return ($c);
    $d->send(AMT::Apf::confirm($m->{channel}, $h{-remote} // 7, 8192));
    return ($c, $m->{channel});
}

my ($c, $ch) = (AMT::Dial->new($sock, uc $guid, 16992, -more => 'early bytes'));
my $m = $d->expect(90);
is($m->{port}, 16992, 'CONNECT opens a channel');
is($c->status(0.3), undef, 'no answer before the device confirmed');
$d->send(AMT::Apf::confirm($m->{channel}, 0, 8192));
is($c->status, 200, '200 then');
is($c->{headers}{'cira-reused'}, 0, 'it is a new channel');
$ch = $m->{channel};
is($d->expect(94)->{data}, 'early bytes', 'bytes behind the head come after that');
$d->send(AMT::Apf::data($ch, 'from the device'));
is($c->read(15), 'from the device', 'device to client');
$c->send('x' x 10000);
my $got = '';
$got .= ($d->expect(94) || last)->{data} while length $got < 8192 - 11;
is(length $got, 8192 - 11, 'no more than the credits');
ok(!$d->expect(94, 0.3), 'not a byte');
$d->send(AMT::Apf::adjust($ch, 100));
is(length($d->expect(94)->{data}), 100, 'a grant moves as much');
$d->send(AMT::Apf::adjust($ch, 10000));
$got .= ($d->expect(94) || last)->{data} while length $got < 9900;
$c->fin;
is($d->expect(97)->{channel}, 0, 'FIN is CLOSE, behind the data');
is($c->eof, '', 'and the client is closed');
$d->send(AMT::Apf::close_channel($ch));

($c, $ch) = opened(16992);
is($c->status, 200, 'another one');
$d->send(AMT::Apf::data($ch, 'last words'), AMT::Apf::close_channel($ch));
is($c->eof, 'last words', 'CLOSE comes behind the data');
ok($d->expect(97), 'and is answered');

($c) = (AMT::Dial->new($sock, $guid, 16992, -more => 'request'));
$c->fin;
$m = $d->expect(90);
$d->send(AMT::Apf::confirm($m->{channel}, 3, 8192));
is($d->expect(94)->{data}, 'request', 'bytes and FIN before the confirmation are delivered');
ok($d->expect(97), 'then CLOSE');
is($c->status, 200, 'the answer comes, too');
$d->send(AMT::Apf::close_channel($m->{channel}));

$c = AMT::Dial->new($sock, $guid, 16992);
$m = $d->expect(90);
$c->close;
sleep 0.1;
$d->send(AMT::Apf::confirm($m->{channel}, 5, 8192));
is($d->expect(97)->{channel}, 5, 'a client that gave up: the confirmation is closed');
$d->send(AMT::Apf::close_channel($m->{channel}));

# ---- refusals of the device -------------------------------------------------------

$c = AMT::Dial->new($sock, $guid, 16993);
is($c->status, 502, 'a port that is not forwarded');
is($c->{headers}{'cira-reason'}, 1, 'as if the device had said so');
$c = AMT::Dial->new($sock, $guid, 16994);
$m = $d->expect(90);
$d->send(AMT::Apf::open_failure($m->{channel}, 2));
is($c->status, 502, 'OPEN_FAILURE');
is($c->{headers}{'cira-reason'}, 2, 'with its reason');
$c = AMT::Dial->new($sock, $guid, 16992);
$m = $d->expect(90);
is($c->status(5 * $slow), 504, 'no confirmation in time');
$d->send(AMT::Apf::confirm($m->{channel}, 1, 8192));
ok($d->expect(97), 'a late one is closed');
$d->send(AMT::Apf::close_channel($m->{channel}));

is((AMT::Dial::ask($sock, "CONNECT $guid:16992 HTTP/1.1\r\nCIRA-Tenant: red"))[0],
    404, "another tenant's device is not there");
($c, $ch) = opened(16992, 'CIRA-Tenant' => 'blue');
is($c->status, 200, 'its own is');
$c->close;
$d->send(AMT::Apf::close_channel($ch)) if $d->expect(97);

my @busy = map { AMT::Dial->new($sock, $guid, 16992) } 1 .. 6;
my @opens = map { $d->expect(90) } 1 .. 6;
my @wait = map { AMT::Dial->new($sock, $guid, 16992) } 1 .. 3;
sleep 0.1;
ok(!$d->expect(90, 0.2), 'six channels are all');
is(AMT::Dial->new($sock, $guid, 16992)->status, 503, 'three wait, the fourth does not');
$d->send(AMT::Apf::open_failure($opens[$_]{channel}, 2)) for 3 .. 5;
my $refused = grep { ($_->status // 0) == 502 } @busy[3 .. 5];
is($refused, 3, 'the device refuses three of them');
$d->send(AMT::Apf::open_failure($opens[$_]{channel}, 2)) for 0 .. 2;
@opens = map { $d->expect(90) } 1 .. 3;
$d->send(AMT::Apf::confirm($opens[$_]{channel}, $_ + 1, 8192)) for 0 .. 2;
is($_->status, 200, 'who waited is served') for @wait;
$_->close for @wait;
$d->send(AMT::Apf::close_channel($_->{channel})) for @opens;
$d->expect(97) for 1 .. 3;

# ---- release, pool, slot -----------------------------------------------------------

my %release = ('CIRA-Release' => 'chunked');
($c, $ch) = opened(16992, %release);
is($c->status, 200, 'CIRA-Release');
$c->chunk('GET');
is($d->expect(94)->{data}, 'GET', 'chunks are decoded');
$c->send("4\r\nab");
is($d->expect(94)->{data}, 'ab', 'a part of a chunk passes');
$c->send("cd\r\n");
is($d->expect(94)->{data}, 'cd', 'and the rest');
$d->send(AMT::Apf::data($ch, 'answer'));
is($c->read(6), 'answer', 'the other direction is raw');
$c->release;
is($c->eof, '', 'the last chunk ends the use');
ok(!$d->expect(97, 0.2), 'but not the channel');

$c = AMT::Dial->new($sock, $guid, 16992, %release);
is($c->status, 200, 'the next use');
is($c->{headers}{'cira-reused'}, 1, 'is of the same channel');
$c->chunk('again');
is($d->expect(94)->{data}, 'again', 'on which data flows');
$c->close;
is($d->expect(97)->{channel}, 7, 'an end without release is CLOSE');
$d->send(AMT::Apf::close_channel($ch));

for ([ "x\r\n", 'an invalid chunk' ], [ "0\r\n\r\nmore", 'bytes behind the release' ],
    [ "3\r\nabcX\r\n", 'a chunk without end' ],
    [ "0\r\nCIRA-State: " . 'a' x 513 . "\r\n\r\n", 'a state too long' ],
    [ "0\r\nCIRA-State: a;b\r\n\r\n", 'a state with other characters' ])
{
    my ($bytes, $what) = @$_;
    ($c, $ch) = opened(16992, %release);
    is($c->status, 200, 'CIRA-Release again');
    $c->send($bytes);
    # sooner than one that idles in the pool
    ok($d->expect(97, 3), "$what: closed");
    $d->send(AMT::Apf::close_channel($ch));
    is($c->eof, '', 'and the client, too');
}

# a client that gives the channel back before it has read all
($c, $ch) = opened(16992, %release);
is($c->status, 200, 'CIRA-Release, and an answer that is not read');
{
    my ($sent, $open) = (0, 80 * 1024);
    while ($open >= 4096 && $sent < 4 << 20) {
        $d->send(AMT::Apf::data($ch, 'q' x 4096)) or last;
        $sent += 4096;
        $open -= 4096;
        while (my $x = $d->read($open < 4096 ? 0.5 : 0.001)) {
            $open += $x->{bytes_added} if $x->{type} == 93;
        }
    }
    cmp_ok($sent, '>', 100_000, 'a long one');
}
$c->release;
ok($d->expect(97, 3), 'is closed, not kept for others');
$d->send(AMT::Apf::close_channel($ch));
$c->close;

my %slot = (%release, 'CIRA-Slot' => 'wsman');
($c, $ch) = opened(16992, %slot);
is($c->status, 200, 'the slot');
is($c->{headers}{'cira-state'}, undef, 'without state at first');
my $second = AMT::Dial->new($sock, $guid, 16992, %slot);
is($second->status(0.3), undef, 'there is only one');
my ($plain, $pch) = opened(16992, -remote => 9);
is($plain->status, 200, 'others do not wait for it');
$plain->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($pch));
$c->release('bm9uY2U_-x');
is($second->status, 200, 'FIFO');
is($second->{headers}{'cira-reused'}, 1, 'with the channel');
is($second->{headers}{'cira-state'}, 'bm9uY2U_-x', 'and the state of the last holder');
$second->release('');
my $third = AMT::Dial->new($sock, $guid, 16992, %slot);
is($third->status, 200, 'the third');
is($third->{headers}{'cira-state'}, undef, 'an empty state is none');
my $fresh = AMT::Dial->new($sock, $guid, 16992, %slot, 'CIRA-Fresh' => 1);
$third->release;
$m = $d->expect(90);
ok($m, 'CIRA-Fresh opens a new channel');
$d->send(AMT::Apf::confirm($m->{channel}, 8, 8192));
is($fresh->status, 200, 'that is granted');
is($fresh->{headers}{'cira-reused'}, 0, 'not a used one');
$fresh->release('YWJj');

# who goes without a release leaves no state: nobody knows what was used
my $gone = AMT::Dial->new($sock, $guid, 16992, %slot);
is($gone->status, 200, 'the fifth');
is($gone->{headers}{'cira-state'}, 'YWJj', 'has the state');
$gone->close;
my $end = $d->expect(97);
ok($end, 'and ends without a release');
$d->send(AMT::Apf::close_channel($end->{channel} == 8 ? $m->{channel} : $ch));
my ($next, $nch) = opened(16992, %slot, 'CIRA-Fresh' => 1);
is($next->status, 200, 'the next one');
is($next->{headers}{'cira-state'}, undef, 'has none');
$next->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($nch));

# the device closes the channel, the slot remains with who has something to say

$c = AMT::Dial->new($sock, $guid, 16992, %slot);
is($c->status, 200, 'the idle channel');
$c->close;
ok($d->expect(97), 'is closed');
$d->send(AMT::Apf::close_channel($ch));

($c, $ch) = opened(16992, %slot);
is($c->status, 200, 'the slot once more');
$second = AMT::Dial->new($sock, $guid, 16992, %slot);
$d->send(AMT::Apf::data($ch, 'challenge'), AMT::Apf::close_channel($ch));
$d->expect(97);
is($c->eof, 'challenge', 'the answer, then FIN');
ok(!$d->expect(90, 0.3), 'the next one waits');
$c->chunk('too late');
$c->release('c3RhdGU');
$m = $d->expect(90);
ok($m, 'until the release');
$d->send(AMT::Apf::confirm($m->{channel}, 9, 8192));
is($second->status, 200, 'the next one');
is($second->{headers}{'cira-state'}, 'c3RhdGU', 'has the state');
is($second->{headers}{'cira-kept'}, undef, 'which was another one\'s');

$third = AMT::Dial->new($sock, $guid, 16992, %slot);
$d->send(AMT::Apf::close_channel($m->{channel}));
$d->expect(97);
is($second->eof, '', 'closed again');
$second->close;
$m = $d->expect(90);
ok($m, 'an end without release gives the slot back at once');
$d->send(AMT::Apf::confirm($m->{channel}, 9, 8192));
is($third->status, 200, 'the next one');
is($third->{headers}{'cira-state'}, undef, 'has no state');

$d->send(AMT::Apf::close_channel($m->{channel}));
$d->expect(97);
is($third->eof, '', 'and again');
sleep 3.7;
$second = AMT::Dial->new($sock, $guid, 16992, %slot);
ok(!$d->expect(90, 0.5), 'without a word');
$m = $d->expect(90);
ok($m, 'the slot is taken from who says nothing');
$d->send(AMT::Apf::confirm($m->{channel}, 9, 8192));
is($second->status, 200, 'and goes to the next one');
$third->release('bGF0ZQ');
$second->release;
$c = AMT::Dial->new($sock, $guid, 16992, %slot);
is($c->status, 200, 'and one more');
is($c->{headers}{'cira-state'}, undef, 'what is said too late is not heard');
$c->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($m->{channel}));

# with another connection

my @holder = map { { %slot, 'CIRA-Holder' => "00000000000000a$_" } } 0, 1;
($c, $ch) = opened(16992, %{$holder[0]});
is($c->status, 200, 'a holder with a number');
my @others = map { AMT::Dial->new($sock, $guid, 16992, %{$holder[1]}) } 1, 2;
$d->send(AMT::Apf::data($ch, 'challenge'));
is($c->read(9), 'challenge', 'is asked for a login');
$second = AMT::Dial->new($sock, $guid, 16992, %{$holder[0]});
is($d->expect(97)->{channel}, 7, 'his channel is closed');
$d->send(AMT::Apf::close_channel($ch));
is($c->eof, '', 'with his first connection');
$m = $d->expect(90);
$d->send(AMT::Apf::confirm($m->{channel}, 9, 8192));
is($second->status, 200, 'he is before others');
is($second->{headers}{'cira-kept'}, 1, 'and kept the slot');
$c->release('eA');
ok(!$d->expect(90, 0.2), 'which the first connection has no more');
$second->send("0\r\nCIRA-State: eQ\r\nCIRA-Close: 1\r\n\r\n");
is($d->expect(97)->{channel}, 9, 'released, and not to be used again');
$d->send(AMT::Apf::close_channel($m->{channel}));
$m = $d->expect(90);
$d->send(AMT::Apf::confirm($m->{channel}, 9, 8192));
is($others[0]->status, 200, 'then the next');
is($others[0]->{headers}{'cira-state'}, 'eQ', 'with his state');
$others[0]->release;
is($others[1]->status, 200, 'whose number takes nothing from himself');
is($others[1]->{headers}{'cira-kept'}, undef, 'after a release');
$others[1]->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($m->{channel}));

# ---- a client that does not read -----------------------------------------------------

($c, $ch) = opened(16994, -remote => 4);
is($c->status, 200, 'a redirection channel');
my ($sent, $granted, $block) = (0, 0, 'z' x 4096);
my $window = 256 * 1024;
while ($sent + 4096 <= $window + $granted && $sent < 4 << 20) {
    $d->send(AMT::Apf::data($ch, $block)) or last;
    $sent += 4096;
    while (my $x = $d->read(0.001)) {
        $granted += $x->{bytes_added} if $x->{type} == 93;
    }
}
while (my $x = $d->read(0.5)) { $granted += $x->{bytes_added} if $x->{type} == 93 }
cmp_ok($granted, '<', 1 << 20, 'a client that does not read gets no endless window');
my $n = 0;
while ($n < $sent) {
    my $x = length $c->read(65536, 2) or last;
    $n += $x;
}
is($n, $sent, 'when it reads nothing is missing');
$c->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($ch));

# ---- private listener ------------------------------------------------------------------

($status, undef, my $list) = AMT::Dial::ask($where, 'LIST * HTTP/1.1');
is($status, 200, 'LIST');
like($list, qr/^$guid (\d+) \d{13} \d{13} blue 127\.0\.0\.1\n$/, 'GUID, generation, times, tenant, address');
my ($generation) = $list =~ /^\S+ (\d+)/;
is((AMT::Dial::ask($where, "LIST $guid HTTP/1.1"))[2], '', 'LIST behind a GUID');
is((AMT::Dial::ask($where, "LOCATE $guid HTTP/1.1"))[2], $list, 'LOCATE');
is((AMT::Dial::ask($where, "LOCATE $none HTTP/1.1"))[0], 404, 'LOCATE of another');
is((AMT::Dial::ask($where, "CONNECT $none:16992 HTTP/1.1"))[0], 404, 'CONNECT to another');
is((AMT::Dial::ask($where, "EVICT $guid:" . ($generation + 64) . " HTTP/1.1"))[0],
    404, 'EVICT of another generation');
ok(!$d->expect(1, 0.2), 'does nothing');
($c) = opened(16994, -remote => 2);
is($c->status, 200, 'a channel');
is((AMT::Dial::ask($where, "ASK $guid:2 HTTP/1.1"))[0], 404,
    'ASK when nobody answers');
is((AMT::Dial::ask($where, "EVICT $guid:$generation HTTP/1.1\r\nCIRA-Reason: 17"))[0],
    200, 'EVICT of this one');
is($d->expect(1)->{reason}, 17, 'ends the session');
is($c->eof, '', 'and its tunnels');
is((AMT::Dial::ask($sock, "CONNECT $guid:16992 HTTP/1.1"))[0], 404, 'it is gone');
is((AMT::Dial::ask($where, 'LIST * HTTP/1.1'))[2], '', 'from LIST, too');

# ---- limits of time, and the log ---------------------------------------------------------

is($half->status(8 * $slow), 400, 'half a request is given up');
ok(defined $mute->eof(8 * $slow), 'and none');
cmp_ok(time - $started, '>', 4, 'after five seconds');

my $log = $t->read_file('logs/connect.log');
like($log, qr{^200\|$guid\|16992\|\S+/cira/[0-9a-f]{16}\.sock\|released\|\d+$}m,
    'the access log tells how a tunnel ended');
like($log, qr{^404\|$none\|16992\|\S+\|device is not connected\|\d+$}m, 'or why not');
like($log, qr{^502\|$guid\|16994\|\S+\|device refused the channel\|\d+$}m, 'and who refused');

$d->close;
$t->stop;
ok(!-e $where, 'the socket is gone with the worker');

$t->done;
