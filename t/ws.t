#!/usr/bin/perl

# WebSockets: the handshake, the cases of RFC 6455, back-pressure, timers,
# ends, reload.  The nginx is t/unit/amt_nginx.c, with an echo in a location.

use strict;
use warnings;
use lib 't/lib';
use AMT::Test;
use Digest::SHA qw(sha1_base64);
use IO::Select;
use Socket qw(IPPROTO_TCP TCP_NODELAY SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(sleep time);

# the library that a server is measured against; NODE_PATH of Debian
my $node = (grep { -x "$_/node" } split /:/, $ENV{PATH})[0];
$ENV{NODE_PATH} ||= '/usr/share/nodejs';

# what is freed is soon used again, so that memory can be measured
my $t = AMT::Test->new(nginx => AMT::Test::test_nginx(),
    asan_options => 'quarantine_size_mb=1');
$t->certs;

my $http = <<'EOF2';
    log_format ws '$request_uri $status $amt_ws_close $amt_ws_end '
                  '$amt_ws_received $amt_ws_sent';
    access_log %%DIR%%/logs/ws.log ws;
    limit_conn_zone $server_port zone=one:64k;
    lingering_timeout 300ms;
    large_client_header_buffers 4 16k;

    server {
        listen 127.0.0.1:%%PORT:http%%;
        listen 127.0.0.1:%%PORT:https%% ssl;
        listen unix:%%DIR%%/ws.sock;
        ssl_certificate      %%DIR%%/mps.crt;
        ssl_certificate_key  %%DIR%%/mps.key;

        location /ws { amt_test_ws; }
        location /listed {
            amt_test_ws;
            amt_allowed_origins https://UI.example https://b.example:8443;
        }
        location /any { amt_test_ws; amt_allowed_origins any; }
        location /both {
            amt_test_ws;
            amt_allowed_origins same http://[::1]:8080;
        }
        location /one { amt_test_ws; limit_conn one 1; }
        location /ping {
            amt_test_ws;
            amt_ws_ping 200ms;
            amt_ws_timeout 400ms;
            amt_ws_max_message 2k;
        }
        location = /status { amt_status; }
        location / { return 204; }
    }

    server {
        listen 127.0.0.1:%%PORT:h2%% http2;
        location /ws { amt_test_ws; }
    }
EOF2
my $main = "thread_pool amt_read threads=1;\n";

$t->start(main => $main, http => $http);

my $key = 'dGhlIHNhbXBsZSBub25jZQ==';

# ---- a client of bytes -------------------------------------------------------

sub handshake {
    my ($path, %o) = @_;
    my %h = ('Host' => '127.0.0.1:' . $t->port('http'),
        'Upgrade' => 'websocket', 'Connection' => 'Upgrade',
        'Sec-WebSocket-Key' => $key, 'Sec-WebSocket-Version' => '13',
        %{$o{headers} || {}});
    my $method = $o{method} || 'GET';
    my $version = $o{version} || '1.1';
    my @lines = map { my $n = $_; ref $h{$n} ? map { "$n: $_\r\n" } @{$h{$n}}
        : defined $h{$n} ? "$n: $h{$n}\r\n" : () } sort keys %h;

    return "$method $path HTTP/$version\r\n" . join('', @lines) . "\r\n";
}

sub connection {
    my ($to) = @_;
    my $s = $t->socket($to || 'http', $to && $to eq 'https' ? (ssl => {}) : ());
    setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1) if !$to || $to eq 'http';
    return $s;
}

# reads until the regex matches, EOF, or the time is over
sub read_until {
    my ($s, $re, $seconds, $have) = @_;
    my $all = $have // '';
    my $end = time + ($seconds || 5) * AMT::Test::slow();

    while ($all !~ $re) {
        my $left = $end - time;
        last if $left <= 0;
        my $pending = $s->isa('IO::Socket::SSL') && $s->pending;
        next unless $pending || IO::Select->new($s)->can_read($left);
        my $n = $s->sysread(my $buf, 65536);
        last unless $n;
        $all .= $buf;
    }

    return $all;
}

sub head { read_until($_[0], qr/\r\n\r\n/, $_[1]) }

# the answer to a request, whole
sub answer {
    my ($request, $to) = @_;
    my $s = connection($to);
    $s->syswrite($request);
    my $head = read_until($s, qr/\r\n\r\n/);
    return $head if $head =~ m{^HTTP/1\.1 101};
    return read_until($s, qr/\z./s, 3, $head);
}

# an open WebSocket: (socket, bytes behind the head)
sub open_ws {
    my ($path, %o) = @_;
    my $s = connection($o{to});
    $s->syswrite(handshake($path, %o) . ($o{early} // ''));
    my $head = head($s);
    $head =~ s/^(HTTP\/1\.1 101 .*?\r\n\r\n)//s
        or die "no 101 from $path: $head";
    return ($s, $head);
}

sub frame {
    my ($first, $payload, %o) = @_;
    my $n = length $payload;
    my $mask = $o{mask} // "\x12\xab\x00\xfe";
    my $len = $n < 126 ? chr(0x80 | $n)
        : $n < 65536 ? "\xfe" . pack('n', $n) : "\xff" . pack('Q>', $n);
    return chr($first) . $len . $mask
        . ($payload ^ substr($mask x ($n / 4 + 1), 0, $n));
}

sub close_frame { frame(0x88, pack('n', $_[0]) . ($_[1] // '')) }

sub closed_with {
    my ($bytes) = @_;
    return $bytes =~ /\x88[\x02-\x7d](..)(.*)\z/s
        ? (unpack('n', $1), $2) : (0, '');
}

# the log line of a path, once it is there
sub logged {
    my ($path, $seconds) = @_;
    my $line;
    $t->wait_for(sub {
        ($line) = $t->read_file('logs/ws.log') =~ /^(\Q$path\E .*)$/m;
    }, $seconds);
    return $line // '';
}

# ---- handshake ---------------------------------------------------------------

my $r = answer(handshake('/ws'));
like($r, qr{^HTTP/1\.1 101 Switching Protocols\r\n}, 'accepted');
like($r, qr{^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$}m,
    'the accept value of RFC 6455');
like($r, qr/^Upgrade: websocket\r$/m, 'Upgrade');
is(() = $r =~ /^Connection: upgrade\r$/mgi, 1, 'one Connection: upgrade');
unlike($r, qr/^(?:Content-|Transfer-|Sec-WebSocket-(?:Pro|Ext))/mi,
    'nothing of a body, no subprotocol, no extension');

like(answer(handshake('/ws', headers => {
    'Connection' => 'keep-alive, upgrade', 'Upgrade' => 'h2c,  WebSocket' })),
    qr/ 101 /, 'lists, in whatever case');
like(answer(handshake('/ws', headers => {
    'Connection' => ['keep-alive', 'Upgrade'] })), qr/ 101 /,
    'two Connection headers');
like(answer(handshake('/ws', headers => {
    'Sec-WebSocket-Extensions' => 'permessage-deflate',
    'Content-Length' => 0 })), qr/ 101 /, 'extension ignored, empty body');
like(answer(handshake('/ws', headers => {
    'Sec-WebSocket-Protocol' => 'eyJ.eyJ_-9.x, other' })),
    qr/^Sec-WebSocket-Protocol: eyJ\.eyJ_-9\.x\r$/m, 'first subprotocol');
like(answer(handshake('/ws', headers => {
    'Sec-WebSocket-Protocol' => ['one', 'two'] })),
    qr/^Sec-WebSocket-Protocol: one\r$/m, 'first of two headers');

my $long = 'x' x 9000;
like(answer(handshake('/ws', headers => { 'Sec-WebSocket-Protocol' => $long })),
    qr/^Sec-WebSocket-Protocol: \Q$long\E\r$/m, 'a subprotocol of 9000 bytes');

my @refused = (
    [ 426, 'no Upgrade', { Upgrade => undef } ],
    [ 426, 'no Connection', { Connection => undef } ],
    [ 426, 'Connection: keep-alive', { Connection => 'keep-alive' } ],
    [ 426, 'Upgrade: websockets', { Upgrade => 'websockets' } ],
    [ 426, 'no version', { 'Sec-WebSocket-Version' => undef } ],
    [ 426, 'version 8', { 'Sec-WebSocket-Version' => 8 } ],
    [ 426, 'version 013', { 'Sec-WebSocket-Version' => '013' } ],
    [ 426, 'two versions', { 'Sec-WebSocket-Version' => [13, 13] } ],
    [ 400, 'no key', { 'Sec-WebSocket-Key' => undef } ],
    [ 400, 'two keys', { 'Sec-WebSocket-Key' => [$key, $key] } ],
    [ 400, 'a short key', { 'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZQ==' } ],
    [ 400, 'a key that is not base64',
        { 'Sec-WebSocket-Key' => '!' x 22 . '==' } ],
    [ 400, 'a key without padding', { 'Sec-WebSocket-Key' => 'A' x 24 } ],
    [ 400, 'a body', { 'Content-Length' => 3 } ],
    [ 400, 'a chunked body', { 'Transfer-Encoding' => 'chunked' } ],
    [ 400, 'an empty subprotocol', { 'Sec-WebSocket-Protocol' => 'a,,b' } ],
    [ 400, 'a subprotocol with a space', { 'Sec-WebSocket-Protocol' => 'a b' } ],
    [ 400, 'a subprotocol with a quote', { 'Sec-WebSocket-Protocol' => '"a"' } ],
    [ 403, 'two origins', { Origin => ['http://a', 'http://b'] } ],
);

for (@refused) {
    my ($status, $name, $headers) = @$_;
    $r = answer(handshake('/ws', headers => $headers)
        . ($headers->{'Content-Length'} ? 'abc' : '')
        . ($headers->{'Transfer-Encoding'} ? "0\r\n\r\n" : ''));
    like($r, qr{^HTTP/1\.1 $status }, "$name is refused with $status");
    like($r, qr/^Connection: close\r$/m, 'and closed');
    like($r, qr/^Upgrade: websocket\r\n.*^Sec-WebSocket-Version: 13\r\n/ms,
        'and told what is wanted') if $status == 426;
}

like(answer(handshake('/ws', method => 'POST', headers => {
    'Content-Length' => 0 })), qr{^HTTP/1\.1 405 .*^Allow: GET\r\n}ms, 'POST');
like(answer(handshake('/ws', version => '1.0')), qr{^HTTP/1\.1 426 },
    'HTTP/1.0');

$r = answer(handshake('/ws?status=401'));
is($r =~ s/^(?:Server|Date): .*\r\n//mgr, "HTTP/1.1 401 Unauthorized\r\n"
    . "Content-Type: text/html\r\nContent-Length: 12\r\n"
    . "Connection: close\r\n\r\nUnauthorized", 'the 401 of the contract');

SKIP: {
    my $out = qx{curl -s -i --http2-prior-knowledge -H 'Upgrade: websocket' \\
        http://127.0.0.1:${\ $t->port('h2')}/ws 2>&1};
    skip 'curl without HTTP/2', 2 if $? && $out !~ /HTTP/;
    like($out, qr{^HTTP/2 426}, 'HTTP/2 is refused');
    unlike($out, qr/^upgrade:/mi, 'without a header HTTP/2 has not');
}

# ---- Origin ------------------------------------------------------------------

my $port = $t->port('http');
my @origins = (
    [ '/ws', "http://127.0.0.1:$port", 101 ],
    [ '/ws', "HTTP://127.0.0.1:$port", 101 ],
    [ '/ws', "https://127.0.0.1:$port", 101 ],     # TLS ended before nginx
    [ '/ws', 'http://127.0.0.1', 403 ],
    [ '/ws', "http://evil.example:$port", 403 ],
    [ '/ws', "http://127.0.0.1:$port.evil.example", 403 ],
    [ '/ws', "http://127.0.0.1:$port/", 403 ],
    [ '/ws', "http://evil\@127.0.0.1:$port", 403 ],
    [ '/ws', 'null', 403 ],
    [ '/ws', 'http://', 403 ],
    [ '/ws', "http://[::1", 403 ],
    [ '/ws', 'http://a:99999', 403 ],
    [ '/listed', 'https://ui.example', 101 ],
    [ '/listed', 'https://ui.example:443', 101 ],
    [ '/listed', 'https://b.example:8443', 101 ],
    [ '/listed', 'https://b.example', 403 ],
    [ '/listed', 'http://ui.example', 403 ],
    [ '/listed', 'https://x.ui.example', 403 ],
    [ '/listed', "http://127.0.0.1:$port", 403 ],
    [ '/listed', undef, 101 ],
    [ '/any', 'null', 101 ],
    [ '/any', 'https://evil.example', 101 ],
    [ '/both', "http://127.0.0.1:$port", 101 ],
    [ '/both', 'http://[::1]:8080', 101 ],
    [ '/both', 'http://[::1]', 403 ],
);

for (@origins) {
    my ($path, $origin, $status) = @$_;
    like(answer(handshake($path, headers => { Origin => $origin })),
        qr{^HTTP/1\.1 $status }, "$path, " . ($origin // 'no origin')
        . ": $status");
}

like(answer(handshake('/ws', headers => { Host => 'x.example',
    Origin => 'https://x.example' }), 'https'), qr/ 101 /, 'TLS, same origin');
like(answer(handshake('/ws', headers => { Host => 'x.example',
    Origin => 'http://x.example' }), 'https'), qr/ 403 /,
    'a plain page on TLS is another origin');

for my $bad ('ftp://a', 'https://a/', 'https://', 'https://a:b', 'any same',
    'https://a b?', '*')
{
    my ($ok, $text) = $t->check(main => $main, http => <<"EOF2");
    server { listen 127.0.0.1:1; location / { amt_allowed_origins $bad; } }
EOF2
    ok(!$ok, "amt_allowed_origins $bad fails nginx -t");
}

# check() wrote another configuration
$t->config(main => $main, http => $http);

# ---- the cases, from the library -----------------------------------------------

SKIP: {
    skip 'no node with the library "ws"', 1
        unless $node && system('node', '-e', 'require("ws")') == 0;

    for my $url ("ws://127.0.0.1:$port", "wss://127.0.0.1:"
        . $t->port('https'))
    {
        for my $mode ('', '&whole=1&secret=1') {
            my $out = qx{node t/js/ws_cases.js \\
                '$url/ws?max=20000000&frame=20000000$mode' \\
                ${\ AMT::Test::slow()} 2>&1};
            my @lines = split /\n/, $out;
            my @bad = grep { !/^ok / } @lines;

            ok(@lines > 350 && !@bad && $? == 0, scalar(@lines)
                . " cases of the library, $url$mode")
                or diag(join "\n", @bad, @lines[-3 .. -1]);
        }
    }
}

# ---- takeover ----------------------------------------------------------------

# frames in the packet of the request, and again with TLS
for my $to ('http', 'https', "unix:$t->{dir}/ws.sock") {
    my ($s, $got) = open_ws('/ws', to => $to, early => frame(0x81, 'early')
        . frame(0x89, 'p') . substr(frame(0x81, 'second'), 0, 5));
    $got = read_until($s, qr/\x8a\x01p/, 5, $got);
    is($got, "\x81\x05early\x8a\x01p", 'frames that come with the request');
    $s->syswrite(substr(frame(0x81, 'second'), 5) . close_frame(1000));
    is(read_until($s, qr/\z./s, 3), "\x81\x06second\x88\x02\x03\xe8",
        'the rest of one, and the end of the connection');
}

# two requests in one connection: the second takes it over
{
    my $s = connection();
    $s->syswrite("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    like(head($s), qr/ 204 /, 'a request before');
    $s->syswrite(handshake('/ws') . frame(0x81, 'x') . close_frame(1000));
    like(read_until($s, qr/\z./s, 3), qr/ 101 .*\r\n\r\n\x81\x01x\x88\x02\x03\xe8$/s,
        'a WebSocket on a connection that was kept');
}

# what is not a frame is not a request either
{
    my ($s) = open_ws('/ws');
    $s->syswrite("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    my ($code) = closed_with(read_until($s, qr/\z./s, 3));
    is($code, 1002, 'a request instead of a frame');
    unlike($t->read_file('logs/ws.log'), qr{^/second}m, 'is no request');
}

# accepted later; a client that leaves before
{
    my ($s, $got) = open_ws('/ws?delay=100', early => frame(0x81, 'x'));
    is(read_until($s, qr/x/, 5, $got), "\x81\x01x", 'accepted later');

    $s = connection();
    $s->syswrite(handshake('/ws?delay=300&n=left'));
    sleep 0.05;
    close $s;
    like(logged('/ws?delay=300&n=left'), qr/ 499 /,
        'a client that leaves before 101');
}

# ---- ends --------------------------------------------------------------------

{
    my ($s) = open_ws('/ws?n=client');
    $s->syswrite(frame(0x82, 'abc') . close_frame(4321, 'bye'));
    my ($code, $reason) = closed_with(read_until($s, qr/\z./s, 3));
    is("$code $reason", '4321 ', 'the code comes back');
    is(logged('/ws?n=client'), '/ws?n=client 101 4321 client 3 3',
        'access log of a client that closed');

    ($s) = open_ws('/ws?n=lost');
    $s->syswrite(frame(0x01, 'abc'));
    read_until($s, qr/abc/);
    close $s;
    is(logged('/ws?n=lost'), '/ws?n=lost 101 1006 lost 3 3',
        'of a client that left');

    ($s) = open_ws('/ws?code=4007&reason=because');
    $s->syswrite(frame(0x81, 'end'));
    my $got = read_until($s, qr/because/);
    is($got, "\x81\x03end\x88\x09\x0f\xa7because", 'closed by the owner');
    $s->syswrite(frame(0x81, 'ignored') . frame(0x89, 'ignored'));
    sleep 0.1;
    $s->syswrite(close_frame(4007));
    is(read_until($s, qr/\z./s, 3), '', 'nothing after the close frame');
    is(logged('/ws?code=4007&reason=because'),
        '/ws?code=4007&reason=because 101 4007 gateway 3 3', 'its log');

    # the client does not answer the close frame
    my $start = time;
    ($s) = open_ws('/ws?code=1001&n=mute');
    $s->syswrite(frame(0x81, 'x'));
    read_until($s, qr/\z./s, 8);
    my $took = time - $start;
    ok($took > 4 && $took < 7 * AMT::Test::slow(),
        'a client that does not answer a close is dropped')
        or diag("after $took s");

    # broken protocol, while the client goes on sending
    ($s) = open_ws('/ws?n=rude');
    my $rude = frame(0x83, 'x') . frame(0x82, 'y' x 500000);
    my $sent = 0;
    while ($sent < length $rude) {
        my $n = $s->syswrite($rude, 65536, $sent) or last;
        $sent += $n;
    }
    ($code) = closed_with(read_until($s, qr/\z./s, 5));
    is($code, 1002, 'a client that goes on sending sees the close frame');
    is(logged('/ws?n=rude'), '/ws?n=rude 101 1002 protocol 0 0', 'its log');

    my $log = $t->log;
    like($log, qr/test: closed by client 4321 "bye"/, 'owner: client');
    like($log, qr/test: closed by lost 1006/, 'owner: lost');
    like($log, qr/test: closed by protocol 1002 "reserved opcode"/,
        'owner: protocol');
    unlike($log, qr/test: closed by gateway/, 'owner: not told its own end');
    like($log, qr/WebSocket ended by client with 4321, 3 bytes/,
        'log: without the client\'s words');
}

# caps
{
    my ($s) = open_ws('/ws?max=1000&frame=600');
    $s->syswrite(frame(0x02, 'x' x 600) . frame(0x00, 'y' x 400)
        . frame(0x80, 'z'));
    my $got = read_until($s, qr/\z./s, 3);
    my ($code, $reason) = closed_with($got);
    is("$code $reason", '1009 message is too big', 'message above the cap');
    is(length($got), 4 + 600 + 4 + 400 + 4 + length $reason,
        'what was before it came through');

    ($s) = open_ws('/ping');
    $s->syswrite(frame(0x82, 'x' x 2048));
    $got = read_until($s, qr/x{2048}/);
    like($got, qr/x{2048}/, 'amt_ws_max_message holds');
    $s->syswrite(frame(0x82, 'x' x 2049));
    ($code) = closed_with(read_until($s, qr/\z./s, 3));
    is($code, 1009, 'and not one byte more');
}

# limit_conn counts a WebSocket until it ends
{
    my $try = sub {
        my $one = connection();
        $one->syswrite(handshake('/one?n=2'));
        return (head($one) =~ /^(HTTP.*)\r\n/)[0];
    };
    my ($s) = open_ws('/one?n=1');
    like($try->(), qr/ 503 /, 'limit_conn: one at a time');
    $s->syswrite(close_frame(1000));
    read_until($s, qr/\z./s, 3);
    close $s;
    like(logged('/one?n=1'), qr/ client /, 'until it ends');
    like($try->(), qr/ 101 /, 'limit_conn: free again');
}

# ---- pings and timeouts ----------------------------------------------------------

{
    my ($s) = open_ws('/ping?n=1');
    my $got = read_until($s, qr/\x89\x00/, 3);
    is($got, "\x89\x00", 'a ping after silence');
    $s->syswrite(frame(0x8a, ''));
    $got = read_until($s, qr/\x89\x00/, 3);
    is($got, "\x89\x00", 'the next one after its answer');
    my $start = time;
    read_until($s, qr/\z./s, 5);
    ok(time - $start > 0.25, 'a ping that is not answered: time to answer');
    is(logged('/ping?n=1'), '/ping?n=1 101 1006 timeout 0 0', 'then the end');

    # data counts as well; longer than the ping's time in all
    my $ms = 500 * AMT::Test::slow();
    ($s) = open_ws("/ws?ping=$ms");
    $got = '';
    $start = time;
    while (time - $start < 2 * $ms / 1000) {
        $s->syswrite(frame(0x81, 'x'));
        $got .= read_until($s, qr/x/, 1);
    }
    like($got, qr/^(?:\x81\x01x)+$/, 'no ping while it talks');

    ($s) = open_ws('/ws?idle=300&ping=100&timeout=200');
    $start = time;
    $got = '';
    while ($got !~ /\x88/ && time - $start < 5 * AMT::Test::slow()) {
        $s->syswrite(frame(0x8a, ''));
        $got = read_until($s, qr/[\x88\x89]/, 1);
    }
    my ($code, $reason) = closed_with($got);
    is("$code $reason", '1001 idle', 'pings are no data: idle');
}

# ---- back-pressure -----------------------------------------------------------------

# a client that does not read what it is sent, in rounds: while it stalls, next
# to nothing of the 40 MB waits in memory, and after it nothing stays there
my (%rss, %held);
my $measured = AMT::Test::variant() ne 'valgrind';

for my $to (map { ($_) x ($measured ? 4 : 1) } qw(http https)) {
    my ($pid) = $t->workers;
    my $before = $t->rss($pid);
    my $s = $t->socket($to, $to eq 'https' ? (ssl => {}) : ());
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, 131072);
    $s->syswrite(handshake("/ws?source=40000000&n=$to"));
    my $head = head($s);
    sleep 0.5 * AMT::Test::pace();
    push @{$held{$to}}, $t->rss($pid) - $before;

    my $all = 0;
    $head =~ s/^.*?\r\n\r\n//s;
    my ($want, $buf, $messages, $bad) = (0, $head, 0, 0);
    my $end = time + 60;

    while (time < $end) {
        while (length $buf >= 4 && ord(substr $buf, 0, 1) == 0x82) {
            my $l = ord substr $buf, 1, 1;
            my ($h, $n) = $l < 126 ? (2, $l) : (4, unpack 'n', substr $buf, 2, 2);
            last if length $buf < $h + $n;
            my $left = 40000000 - $all;
            $bad++ if $n >= 8
                && unpack('q<', substr $buf, $h, 8) != $left;
            $all += $n;
            $messages++;
            $buf = substr $buf, $h + $n;
        }
        last if $buf =~ /^\x88/;
        my $n = $s->sysread(my $more, 262144);
        last unless $n;
        $buf .= $more;
    }
    is("$all $bad " . unpack('H*', $buf), '40000000 0 880203e8',
        "40 MB to a slow client, in order, $to");
    $s->syswrite(close_frame(1000));
    read_until($s, qr/\z./s, 3);
    push @{$rss{$to}}, $t->rss($pid);
}

SKIP: {
    skip 'valgrind keeps freed memory', 4 if !$measured;

    for my $to (qw(http https)) {
        my @held = @{$held{$to}};
        is((grep { $_ > 2_000_000 } @held), 0,
            "a source does not fill the memory: @held, $to");
        my ($first, @rest) = @{$rss{$to}};
        cmp_ok($rest[-1] - $first, '<', 200_000,
            "and a client leaves nothing: $first, @rest, $to");
    }
}

# an owner that pauses; nothing is lost, pings wait
{
    my $data = join '', map { chr(rand 256) } 1 .. 300000;
    my ($s) = open_ws('/ws?sink=1&pause=5');
    my $bytes = frame(0x82, $data) . frame(0x81, '?');
    my $sent = 0;
    while ($sent < length $bytes) {
        $sent += $s->syswrite($bytes, 65536, $sent) || last;
    }
    require Compress::Zlib;
    my $want = sprintf '1 %d %08x', length $data, Compress::Zlib::crc32($data);
    like(read_until($s, qr/ \d+ [0-9a-f]{8}/, 10), qr/$want/,
        'an owner that pauses after every piece');

    # a client that leaves meanwhile is noticed
    ($s) = open_ws('/ws?sink=1&pause=600000&n=left');
    $s->syswrite(frame(0x82, 'x'));
    sleep 0.1;
    close $s;
    is(logged('/ws?sink=1&pause=600000&n=left', 8),
        '/ws?sink=1&pause=600000&n=left 101 1006 lost 1 0',
        'a client that leaves while reading is paused');
}

# output above its cap; pings of a client that does not read
{
    my $s = connection();
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, 8192);
    $s->syswrite(handshake('/ws?flood=20000000&queue=100000'));
    head($s);
    $s->syswrite(frame(0x82, 'x'));
    ok($t->log_wait(qr/client is too slow, \d{5,6} bytes wait/),
        'an owner that does not wait meets the cap');
    ok($t->log_wait(qr/test: closed by internal 1011 "client is too slow"/),
        'and is told');
    close $s;

    ($s) = open_ws('/ws?n=pings&timeout=1000');
    $s->blocking(0);
    my $pings = frame(0x89, 'p' x 125) x 500;
    my ($end, $n) = (time + 1.5, 0);
    while (time < $end) {
        my $w = $s->syswrite($pings);
        $n += $w if $w;
        sleep 0.01 unless $w;
    }
    my ($pid) = $t->workers;
    ok(-d "/proc/$pid", 'pings without end do no harm') or diag($n);
    close $s;
}

# a client that does not read at all is given up
{
    my $s = connection();
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, 4096);
    $s->syswrite(handshake('/ws?source=20000000&timeout=500&n=stuck'));
    like(logged('/ws?source=20000000&timeout=500&n=stuck', 10),
        qr/ 101 1006 timeout 0 /, 'a client that does not read is given up');
}

# ---- many, at random ----------------------------------------------------------------

{
    my @open;
    srand 4;
    for my $i (1 .. 200) {
        my $what = int rand 6;
        my ($s) = eval { open_ws('/ws', to => rand() < 0.3 ? 'https' : 'http',
            early => rand() < 0.3 ? frame(0x81, 'e') : '') };
        next unless $s;
        $s->syswrite(substr frame(0x82, 'z' x int rand 4000), 0,
            int rand 4000) if $what > 1;
        $s->syswrite(frame(0x89, '')) if $what == 3;
        $s->syswrite(close_frame(1000)) if $what == 4;
        if ($what == 5 && !$s->isa('IO::Socket::SSL')) {
            setsockopt($s, SOL_SOCKET, Socket::SO_LINGER(),
                pack('ii', 1, 0));
        }
        if ($what) { close $s } else { push @open, $s }
        shift @open if @open > 20;
    }
    @open = ();
    my ($s) = open_ws('/ws');
    my $ws;
    $t->wait_for(sub {
        $ws = $t->get('/status', scheme => 'http')->{json}{websockets};
        $ws && $ws->{live} == 1;
    });
    is($ws && $ws->{live}, 1, 'amt_status: one is open');
    my $ended = 0;
    $ended += $ws->{$_} for grep { /^ended_/ } keys %{$ws || {}};
    is($ended, ($ws->{accepted} // 0) - 1, 'amt_status: the others ended');
    cmp_ok($ws->{"ended_$_"} // 0, '>', 0, "amt_status: by $_")
        for qw(client gateway protocol lost timeout idle internal);
    $s->syswrite(frame(0x81, 'alive'));
    is(read_until($s, qr/alive/), "\x81\x05alive", 'after 200 rude clients');
}

# ---- reload, the end of a worker --------------------------------------------------

sub restart {
    my ($main, $extra) = @_;
    $t->stop;
    $t->start(main => $main, http => ($extra // '') . $http);
}

{
    restart($main . "worker_shutdown_timeout 60s;\n", "amt_ws_drain 2s;\n");
    my @s = map { (open_ws("/ws?n=drain$_"))[0] } 1 .. 5;
    my ($own) = open_ws('/ws?drain=1&n=own');
    my ($late) = $t->socket('http');
    $late->syswrite(handshake('/ws?delay=800&n=late'));
    sleep 0.1;
    my ($old) = $t->workers;
    my $start = time;

    ok($t->reload, 'reload');
    is(read_until($own, qr/own end/, 2), "\x88\x0c\x0f\xa1my own end",
        'an owner that ends by itself is asked at once');
    $own->syswrite(close_frame(4001));

    $s[0]->syswrite(frame(0x81, 'still here'));
    is(read_until($s[0], qr/here/, 1), "\x81\x0astill here",
        'the others go on');
    like(head($late, 3), qr{^HTTP/1\.1 503 },
        'a request that is accepted only now is not');

    my @got = map { scalar read_until($_, qr/\x88../s, 5) } @s;
    my $took = time - $start;
    is((grep { (closed_with($_))[0] == 1001 } @got), 5, 'closed with 1001');
    ok($took > 1.5 && $took < 4 * AMT::Test::slow(), 'within amt_ws_drain')
        or diag($took);
    $_->syswrite(close_frame(1001)) for @s;
    close $_ for @s, $own, $late;
    ok($t->wait_for(sub { !grep { $_ == $old } $t->workers(all => 1) }, 10),
        'the old worker exits');
    like(logged('/ws?n=drain3'), qr/ 101 1001 worker /, 'log of a drained one');

    # worker_shutdown_timeout closes all at once
    restart($main . "worker_shutdown_timeout 1s;\n");
    @s = map { (open_ws("/ws?n=timeout$_", to => $_ % 2 ? 'http' : 'https'))[0] }
        1 .. 5;
    ($own) = open_ws('/ws?n=idle&ping=0&timeout=0');
    ($old) = $t->workers;
    $t->reload;
    @got = map { scalar read_until($_, qr/\z./s, 5) } @s, $own;
    is((grep { (closed_with($_))[0] == 1001 } @got), 6,
        'worker_shutdown_timeout: closed with 1001');
    close $_ for @s, $own;
    ok($t->wait_for(sub { !grep { $_ == $old } $t->workers(all => 1) }, 10),
        'the old worker exits');

    # without a WebSocket a worker exits at once
    ($old) = $t->workers;
    $t->reload;
    ok($t->wait_for(sub { !grep { $_ == $old } $t->workers(all => 1) }, 4),
        'a worker without WebSockets exits at once');

    # TERM does not wait
    my ($last) = open_ws('/ws');
    ok($t->stop('TERM'), 'TERM');
}

AMT::Test::done();
