#!/usr/bin/perl

# Listeners of all kinds for devices: IPv6, unix sockets, PROXY protocol, TLS
# with client certificates.  What cira_auth is told about the peer, and whom
# the limits per address are about.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IO::Socket::IP;
use IO::Socket::SSL;
use IO::Socket::UNIX;
use JSON::PP;
use MIME::Base64;
use Test::More;
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $t = AMT::Test->new(workers => 2);
my $slow = AMT::Test::slow();
my $dir = $t->dir;
my $stub = AMT::Stub->new("$dir/hooks.sock");
my $six = IO::Socket::IP->new(LocalHost => '::1', Listen => 1) ? 1 : 0;

$stub->answer('/auth', 204);
$t->certs;

# a device's certificate of our root, and one of nobody's
system("cd $dir && cp " . AMT::Test::build() . '/certs/root.key . && {'
    . ' openssl req -newkey rsa:2048 -nodes -keyout c.key -out c.csr -subj /CN=c'
    . ' && openssl x509 -req -in c.csr -CA root.crt -CAkey root.key'
    . ' -CAcreateserial -out c.crt -days 2 && openssl req -x509 -newkey rsa:2048'
    . ' -nodes -keyout s.key -out s.crt -subj /CN=s; } >/dev/null 2>&1') == 0
    or die 'certificates';

my $ssl = 'ssl_certificate %%DIR%%/mps.crt; ssl_certificate_key %%DIR%%/mps.key;'
    . ' include %%ROOT%%/conf/amt/tls-modern.conf;';
my $ipv6 = $six ? 'listen [::1]:%%PORT:cira%% ssl;' : '';

$t->start(stream => <<"EOF");
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_auth_failures 2 per 60s ban 60s;
    log_format device '\$remote_addr [\$cira_guid] [\$cira_close_reason]';
    access_log %%DIR%%/logs/device.log device;
    $ssl

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        $ipv6
        cira;
    }
    server {
        listen unix:%%DIR%%/tls.sock ssl;
        cira;
    }
    server {
        listen unix:%%DIR%%/proxy.sock ssl proxy_protocol;
        listen 127.0.0.1:%%PORT:proxy%% ssl proxy_protocol;
        set_real_ip_from unix:;
        set_real_ip_from 127.0.0.1;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:cert%% ssl;
        ssl_verify_client optional_no_ca;
        ssl_client_certificate %%DIR%%/root.crt;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF

my $n = 0;
sub guid { sprintf '4c4c4544-0001-4d10-8051-%012x', $_[0] // ++$n }
sub asked { (map { decode_json($_->[2]) } grep { $_->[1] eq '/auth' } $stub->requests)[-1] }

# a device on a socket that is connected, or that is not
sub device {
    my ($socket, %o) = @_;
    return unless $socket;
    print $socket $o{first} if $o{first};
    $socket->flush;
    my $s = IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => 0,
        Timeout => 10 * $slow, %{$o{ssl} || {}}) or return;
    return bless { socket => $s, in => '' }, 'AMT::Apf';
}

sub tcp { IO::Socket::IP->new(PeerHost => $_[0], PeerPort => $t->port($_[1]), Timeout => 5) }
sub unix { IO::Socket::UNIX->new(Peer => "$dir/$_[0]") }
sub let_in { my $d = shift; $d && $d->login('admin', 'x', guid => guid(), @_) }
sub refused {
    my $d = shift or return 0;
    $d->send(AMT::Apf::version(guid()), AMT::Apf::service($AMT::Apf::AUTH),
        AMT::Apf::userauth('admin', 'wrong'));
    my $got = $d->expect(51) ? 1 : 0;
    $d->close;
    return $got;
}

# ---- addresses -----------------------------------------------------------------

my $d = device(tcp('127.0.0.1', 'cira'));
ok(let_in($d), 'IPv4');
is(asked()->{address}, '127.0.0.1', 'its address');
$d->close;

SKIP: {
    skip 'no IPv6 here', 4 if !$six;
    $d = device(tcp('::1', 'cira'));
    ok(let_in($d), 'IPv6');
    is(asked()->{address}, '::1', 'its address');
    my $c = AMT::Dial->new("$dir/cira.sock", guid($n), 16992);
    my $m = $d->expect(90);
    ok($m, 'and a channel');
    $d->send(AMT::Apf::confirm($m->{channel}, 0, 100)) if $m;
    is($c->status, 200, 'that opens');
    my ($list) = grep { /::1/ } map {
        (AMT::Dial::ask($_, 'LIST * HTTP/1.1'))[2] } glob "$dir/cira/*.sock";
    like($list // '', qr/ ::1$/m, 'LIST has the address');
    $d->close;
}

$d = device(unix('tls.sock'));
ok(let_in($d), 'a unix socket');
is(asked()->{address}, 'unix:', 'which has no address');
$d->close;

for (
    [ 'TCP4 192.0.2.7 192.0.2.1 1000 4433', '192.0.2.7' ],
    [ 'TCP6 2001:db8::7 2001:db8::1 1000 4433', '2001:db8::7' ],
) {
    my ($line, $address) = @$_;

    for my $where ('unix', 'tcp') {
        $d = device($where eq 'unix' ? unix('proxy.sock') : tcp('127.0.0.1', 'proxy'),
            first => "PROXY $line\r\n");
        ok(let_in($d), "PROXY protocol over $where");
        is(asked()->{address}, $address, 'the address of the device');
        $d->close if $d;
    }
}

ok(!device(unix('proxy.sock'), ssl => { Timeout => 3 }), 'TLS without the PROXY line');
ok(!device(tcp('127.0.0.1', 'proxy'), first => "PROXY TCP4 x\r\n"), 'a bad line');

# ---- limits are about the device's address ----------------------------------------

$stub->answer('/auth', 403);
ok(refused(device(unix('proxy.sock'), first => "PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n")),
    "failure $_ of an address behind a proxy") for 1, 2;
$stub->answer('/auth', 204);
ok(!let_in(device(unix('proxy.sock'), first => "PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n")),
    'it is banned');
ok(!let_in(device(tcp('127.0.0.1', 'proxy'), first => "PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n")),
    'whatever proxy it comes through');
ok(let_in(device(unix('proxy.sock'), first => "PROXY TCP4 192.0.2.10 192.0.2.1 1 2\r\n")),
    'its neighbour is not');

# a subscriber has a whole /64
$stub->answer('/auth', 403);
ok(refused(device(unix('proxy.sock'), first => "PROXY TCP6 2001:db8:0:1::$_ ::1 1 2\r\n")),
    "failure $_ in a /64") for 1, 2;
$stub->answer('/auth', 204);
ok(!let_in(device(unix('proxy.sock'), first => "PROXY TCP6 2001:db8:0:1:f::3 ::1 1 2\r\n")),
    'all of it is banned');
ok(let_in(device(unix('proxy.sock'), first => "PROXY TCP6 2001:db8:0:2::1 ::1 1 2\r\n")),
    'the next is not');

# who comes over a unix socket has no address that could be banned
$stub->answer('/auth', 403);
ok(refused(device(unix('tls.sock'))), "failure $_ over a unix socket") for 1 .. 3;
$stub->answer('/auth', 204);
ok(let_in(device(unix('tls.sock'))), 'bans nobody');

# ---- client certificates -------------------------------------------------------------

for ([ 's', 0, 'of nobody' ], [ 'c', 1, 'of our root' ]) {
    my ($file, $verified, $what) = @$_;
    my ($base64) = $t->read_file("$file.crt") =~ /BEGIN CERT\S+\n(.*?)-----END/s;

    $d = device(tcp('127.0.0.1', 'cert'), ssl => {
        SSL_cert_file => "$dir/$file.crt", SSL_key_file => "$dir/$file.key" });
    ok(let_in($d), "a certificate $what");
    is(asked()->{fingerprint}, sha256_hex(decode_base64($base64)), 'its fingerprint');
    is(asked()->{verified} ? 1 : 0, $verified, $verified ? 'verified' : 'not verified');
    $d->close if $d;
}

$d = device(tcp('127.0.0.1', 'cert'));
ok(let_in($d), 'none');
is(asked()->{fingerprint}, undef, 'no fingerprint');
ok(!asked()->{verified}, 'not verified');
$d->close;

# ---- TLS in pieces -----------------------------------------------------------------

# A device on the other side of a pipe that cuts its records anywhere, and one
# that lets whole flights through at once.

for my $size (1, 3, 100, 5000) {
    my $gate = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die;
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        my $in = $gate->accept;
        my $out = tcp('127.0.0.1', 'cira');
        setsockopt $out, 6, 1, 1;
        my $select = IO::Select->new($in, $out);
        while (1) {
            for my $s ($select->can_read) {
                sysread $s, my $buf, 65536 or POSIX::_exit(0);
                if ($s == $out) { syswrite $in, $buf; next }
                while (length $buf) { syswrite $out, substr $buf, 0, $size, '' }
            }
        }
    }
    close $gate if 0;

    $d = device(IO::Socket::IP->new(PeerHost => '127.0.0.1',
        PeerPort => $gate->sockport));
    ok(let_in($d, seconds => 20 * $slow), "TLS in pieces of $size bytes");
    my $c = AMT::Dial->new("$dir/cira.sock", guid($n), 16992);
    my $m = $d->expect(90, 5 * $slow);
    $d->send(AMT::Apf::confirm($m->{channel}, 0, 100)
        . AMT::Apf::data($m->{channel}, 'x' x 3000) . AMT::Apf::keepalive(1)
        . AMT::Apf::data($m->{channel}, 'y' x 3000)) if $m;
    is($c->read(6000 + length "HTTP/1.1 200 OK\r\nCIRA-Reused: 0\r\n\r\n", 20 * $slow),
        "HTTP/1.1 200 OK\r\nCIRA-Reused: 0\r\n\r\n" . 'x' x 3000 . 'y' x 3000,
        'and its data');
    ok($d->expect(209), 'and what is between');
    $d->close;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

# ---- half a device -----------------------------------------------------------------

# FIN without close_notify, close_notify without FIN, a reset: all end it at once
for my $how ('FIN', 'close_notify', 'reset', 'FIN in a message') {
    my $tcp = tcp('127.0.0.1', 'cira');
    $d = device($tcp);
    ok(let_in($d), "a device that will end with $how");
    my $c = AMT::Dial->new("$dir/cira.sock", guid($n), 16992);
    my $m = $d->expect(90);
    $d->send(AMT::Apf::confirm($m->{channel}, 0, 100));
    is($c->status, 200, 'a tunnel');
    $d->send(AMT::Apf::data($m->{channel}, 'last words'));
    $d->send(pack('CNN', 94, $m->{channel}, 100) . 'half') if $how =~ /message/;

    if ($how eq 'close_notify') {
        Net::SSLeay::shutdown($d->{socket}->_get_ssl_object);
    } elsif ($how eq 'reset') {
        # what was sent has to be there before the reset
        is($c->read(10), 'last words', 'what it has said');
        setsockopt $d->{socket}, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0;
        $d->{socket}->close(SSL_no_shutdown => 1);
    } else {
        shutdown $d->{socket}, 1;
    }

    my $rest = $c->eof(5 * $slow);
    ok(defined $rest, 'the tunnel ends at once');
    is($rest, $how eq 'reset' ? '' : 'last words' . ($how =~ /message/ ? 'half' : ''),
        'behind all it has said');
    is((AMT::Dial::ask("$dir/cira.sock", 'CONNECT ' . guid($n) . ':16992 HTTP/1.1'))[0],
        404, 'and the device is not connected');
}

# ---- something else on the port -------------------------------------------------------

for ([ 'SSLv2 hello', "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" . 'x' x 40 ],
    [ 'plain APF', AMT::Apf::version(guid()) ], [ 'an endless record', "\x16\x03\x01\xff\xff" . 'x' x 70000 ])
{
    my ($what, $bytes) = @$_;
    my $s = tcp('127.0.0.1', 'cira');
    my $got = $t->exchange($s, $bytes, 5);
    unlike($got, qr/[\xd2\x06]auth/, "$what: nothing but an alert");
}

$d = device(tcp('127.0.0.1', 'cira'));
ok(let_in($d), 'all is well after that');
$d->close;

$t->done;
