#!/usr/bin/perl

# A device on another worker: one hop to its owner's private listener, in
# both directions, and what happens when owners and tunnels end.

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
my $t = AMT::Test->new(workers => 2);
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');

$stub->answer('/auth', 200, '{"tenant":"blue"}');
$t->certs;

$t->start(stream => <<'EOS');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_connect_timeout 2s;
    log_format c '$pid|$cira_connect_status|$cira_connect_guid|$cira_owner';

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
    server {
        listen 127.0.0.1:%%PORT:tls%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        ssl_client_certificate %%DIR%%/root.crt;
        ssl_verify_client on;
        allow 127.0.0.0/8;
        deny all;
        cira_connect;
    }
EOS

my $sock = $t->dir . '/cira.sock';
my $guid = '4c4c4544-0001-4d10-8051-000000000001';

sub privates { my @found = glob $t->dir . '/cira/*.sock'; @found }

# A worker's id ends with its process id
sub pid_of { $_[0] =~ m{([0-9a-f]{8})\.sock$} && hex($1) & 0x3fffff }

# The socket of the worker that has the device, and the worker's pid
sub owner {
    for my $path (privates()) {
        my ($status, undef, $list) = AMT::Dial::ask($path, 'LIST * HTTP/1.1', 2);
        next unless ($list // '') =~ /^$guid /m;
        return ($path, pid_of($path));
    }
    return;
}

# A CONNECT that the other worker takes, since the owner cannot
sub hop {
    my ($port, %h) = @_;
    my ($path, $pid) = owner();

    # a worker that was just started has to be ready to take it
    $t->wait_for(sub { privates() == 2 });
    $t->stop_workers($pid);
    my $c = AMT::Dial->new($sock, $guid, $port, %h);
    sleep 0.2 * AMT::Test::pace();
    kill 'CONT', $pid;

    return $c;
}

ok($t->wait_for(sub { privates() == 2 }), 'two private listeners');

my $d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x', ports => [ 16992, 16994 ]), 'a device connects');
my ($path, $pid) = owner();
ok($path, 'one worker has it');

my ($stranger) = grep { $_ ne $path } privates();
is((AMT::Dial::ask($stranger, "CONNECT $guid:16992 HTTP/1.1"))[0], 404,
    'who asks the wrong worker is not sent on');

# ---- bytes ---------------------------------------------------------------------

my $c = hop(16992, -more => 'early');
my $m = $d->expect(90);
is($m->{port}, 16992, 'CONNECT through the other worker');
is($c->status(0.3), undef, 'no answer before the confirmation');
$d->send(AMT::Apf::confirm($m->{channel}, 3, 1 << 20));
is($c->status, 200, '200 then');
is($c->{headers}{'cira-reused'}, 0, "with the owner's headers");
is($d->expect(94)->{data}, 'early', 'early bytes arrive');

my $up = join '', map { pack 'N', $_ } 1 .. 100_000;
my $got = '';
my $sender = fork;
if (!$sender) { $c->send($up); POSIX::_exit(0) }
while (length $got < length $up) {
    my $x = $d->expect(94) or last;
    $got .= $x->{data};
}
waitpid $sender, 0;
ok($got eq $up, '400 KB to the device');

$sender = fork;
if (!$sender) {
    my $window = 80 * 1024;
    for (my $i = 0; $i < length $up; $i += 4096) {
        my $part = substr $up, $i, 4096;
        while ($window < length $part) {
            my $x = $d->expect(93) or POSIX::_exit(1);
            $window += $x->{bytes_added};
        }
        $d->send(AMT::Apf::data($m->{channel}, $part));
        $window -= length $part;
    }
    POSIX::_exit(0);
}
ok($c->read(length $up, 20) eq $up, '400 KB from the device');
waitpid $sender, 0;
$c->close;
ok($t->wait_for(sub { grep { m{^(\d+)\|200\|$guid\|\Q$path\E$} && $1 != $pid }
    split /\n/, $t->read_file('logs/connect.log') }),
    'the log names a worker and another owner');

$d->close;
ok($t->wait_for(sub { !owner() }), 'the device goes');
is((AMT::Dial::ask($sock, "CONNECT $guid:16992 HTTP/1.1"))[0], 404, '404 then');
$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x', ports => [ 16992, 16994 ]), 'and comes again');

# ---- FIN, release, refusals over the hop ----------------------------------------

sub confirmed {
    my ($remote, @args) = @_;
    my $c = hop(@args);
    my $m = $d->expect(90) or return ($c);
    $d->send(AMT::Apf::confirm($m->{channel}, $remote, 8192));
    return ($c, $m->{channel});
}

my $ch;
($c, $ch) = confirmed(1, 16992);
is($c->status, 200, 'a tunnel');
$c->send('request');
$c->fin;
is($d->expect(94)->{data}, 'request', 'bytes before FIN');
ok($d->expect(97), 'FIN closes the channel');
is($c->eof, '', 'and the tunnel');
$d->send(AMT::Apf::close_channel($ch));

my %slot = ('CIRA-Release' => 'chunked', 'CIRA-Slot' => 'wsman', 'CIRA-Tenant' => 'blue');
($c, $ch) = confirmed(2, 16992, %slot);
is($c->status, 200, 'the slot over the hop');
$c->chunk('POST');
is($d->expect(94)->{data}, 'POST', 'chunks are decoded by the owner');
$c->release('c3RhdGU');
is($c->eof, '', 'released');
$c = hop(16992, %slot);
is($c->status, 200, 'again');
is($c->{headers}{'cira-reused'}, 1, 'the same channel');
is($c->{headers}{'cira-state'}, 'c3RhdGU', 'with the state');
$c->close;
ok($d->expect(97), 'an end without release closes it');
$d->send(AMT::Apf::close_channel($ch));

# the device closes the channel, the slot remains

$slot{'CIRA-Holder'} = '00000000000000a0';
($c, $ch) = confirmed(2, 16992, %slot);
is($c->status, 200, 'the slot once more');
$d->send(AMT::Apf::data($ch, 'challenge'), AMT::Apf::close_channel($ch));
$d->expect(97);
is($c->eof, 'challenge', 'the answer, then FIN');
my ($again, $ach) = confirmed(2, 16992, %slot);
is($again->status, 200, 'another connection of the holder');
is($again->{headers}{'cira-kept'}, 1, 'keeps the slot');
$c->close;
$d->send(AMT::Apf::close_channel($ach));
$d->expect(97);
is($again->eof, '', 'closed again');
$again->release('bmV3');
delete $slot{'CIRA-Holder'};
($c, $ch) = confirmed(2, 16992, %slot);
is($c->status, 200, 'another client');
is($c->{headers}{'cira-state'}, 'bmV3', 'has the state');
$c->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($ch));

is(hop(16992, 'CIRA-Tenant' => 'red')->status, 404, 'another tenant');
$c = hop(16993);
is($c->status, 502, 'a port that is not forwarded');
is($c->{headers}{'cira-reason'}, 1, 'with the reason');
like($c->eof, qr/does not forward/, "and the owner's text");
$c = hop(16994);
$m = $d->expect(90);
$d->send(AMT::Apf::open_failure($m->{channel}, 2));
is($c->status, 502, 'OPEN_FAILURE');
is($c->{headers}{'cira-reason'}, 2, 'with its reason');
$c = hop(16994);
$m = $d->expect(90);
is($c->status(6 * $slow), 504, 'no confirmation');
$d->send(AMT::Apf::confirm($m->{channel}, 1, 8192));
ok($d->expect(97), 'a late one is closed');
$d->send(AMT::Apf::close_channel($m->{channel}));

$c = hop(16994);
$m = $d->expect(90);
$c->close;
sleep 0.2;
$d->send(AMT::Apf::confirm($m->{channel}, 6, 8192));
is($d->expect(97)->{channel}, 6, 'a client that gives up is noticed over the hop');
$d->send(AMT::Apf::close_channel($m->{channel}));

# ---- a client that does not read, over the hop -----------------------------------

($c, $ch) = confirmed(4, 16994);
is($c->status, 200, 'a redirection channel');
my ($sent, $window, $block) = (0, 256 * 1024, 'z' x 4096);
while ($sent < 16 << 20) {
    while (my $x = $d->read($window < 4096 ? 1 : 0.001)) {
        $window += $x->{bytes_added} if $x->{type} == 93;
    }
    last if $window < 4096;
    $d->send(AMT::Apf::data($ch, $block)) or last;
    $window -= 4096;
    $sent += 4096;
}
cmp_ok($sent, '<', 4 << 20, 'the device is stopped by a client that does not read');
is(length $c->read($sent, 10), $sent, 'when it reads nothing is missing');
$c->close;
$d->expect(97);
$d->send(AMT::Apf::close_channel($ch));

# ---- TLS clients, and rules that are not for the hop -------------------------------

my $tls = sub {
    require IO::Socket::SSL;
    return IO::Socket::SSL->new(PeerAddr => '127.0.0.1', SSL_verify_mode => 0,
        PeerPort => $t->port('tls'), @_);
};
my $s = $tls->();
my $line = '';
if ($s) { print $s "CONNECT $guid:16992 HTTP/1.1\r\n\r\n"; $line = <$s> // '' }
unlike($line, qr/^HTTP\/1.1 [25]/, 'TLS without a certificate gets nowhere');

{
    my $dir = $t->dir;
    system("cd $dir && openssl req -newkey rsa:2048 -nodes -keyout c.key"
        . " -out c.csr -subj /CN=c 2>/dev/null && cp " . AMT::Test::build()
        . "/certs/root.key . && openssl x509 -req -in c.csr -CA root.crt"
        . " -CAkey root.key -CAcreateserial -out c.crt -days 2 2>/dev/null");
}
my @cert = (SSL_cert_file => $t->dir . '/c.crt', SSL_key_file => $t->dir . '/c.key');
for my $round (1 .. 4) {
    $t->stop_workers((owner())[1]) if my $stop = $round % 2;
    my (undef, $opid) = $stop ? () : owner();
    my $p = fork;
    if (!$p) {
        my $s = $tls->(@cert) or POSIX::_exit(1);
        print $s "CONNECT $guid:16992 HTTP/1.1\r\n\r\nhello";
        my $head = '';
        while (my $l = <$s>) { $head .= $l; last if $l eq "\r\n" }
        POSIX::_exit(2) unless $head =~ /^HTTP\/1.1 200/;
        my $n = 0;
        while ($n < 300_000) {
            my $x = sysread $s, my $buf, 16384;
            last unless $x;
            POSIX::_exit(3) if $buf =~ /[^t]/;
            $n += $x;
        }
        POSIX::_exit($n == 300_000 ? 0 : 4);
    }
    sleep 0.3;
    kill 'CONT', $t->workers;
    $m = $d->expect(90);
    $d->send(AMT::Apf::confirm($m->{channel}, 2, 8192));
    is($d->expect(94)->{data}, 'hello', "a TLS client with a certificate, $round");
    my ($left, $w) = (300_000, 80 * 1024);
    while ($left) {
        my $n = $left < 4000 ? $left : 4000;
        while ($w < $n) { $w += ($d->expect(93) || last)->{bytes_added} }
        last if $w < $n;
        $d->send(AMT::Apf::data($m->{channel}, 't' x $n));
        $left -= $n;
        $w -= $n;
    }
    waitpid $p, 0;
    is($? >> 8, 0, 'gets every byte');
    $d->expect(97);
    $d->send(AMT::Apf::close_channel($m->{channel}));
}

# ---- the owner dies ------------------------------------------------------------------

($c, $ch) = confirmed(5, 16992);
is($c->status, 200, 'a tunnel over the hop');
($path, $pid) = owner();
$t->kill_worker($pid);
is($c->eof, '', 'it ends with the owner');
ok($t->wait_for(sub { !-e $path }), 'whose socket is removed');
$d->close;
is((AMT::Dial::ask($sock, "CONNECT $guid:16992 HTTP/1.1"))[0], 404, 'the device is gone');
ok($t->log =~ /1 devices disconnected: worker died/, 'the log says so');

$d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x'), 'it comes again');
$c = hop(16992);
$m = $d->expect(90);
($path, $pid) = owner();
$t->kill_worker($pid);
is($c->status, 404, 'an owner that dies before it answered: looked up again');
$d->close;

# ---- file descriptors are used up ------------------------------------------------------

ok($t->wait_for(sub { ($path) = grep { kill 0, pid_of($_) } privates() }),
    'a worker that lives');
my @many;
$t->allow(qr/accept\(\) on unix|accept4\(\) failed/);
my $who = pid_of($path);
system "prlimit --pid $who --nofile=64:64";
push @many, grep { $_ } map { AMT::Dial->raw($path, '') } 1 .. 100;
ok($t->log_wait(qr/accept\(\) on unix:\S+ failed \(24/), 'no descriptors for accept()');
my @before = times_of($who);
sleep 1;
my @after = times_of($who);
cmp_ok($after[0] - $before[0], '<', 50, 'the worker does not spin');
my $logged = () = $t->log =~ /accept\(\) on unix/g;
cmp_ok($logged, '<', 20, 'nor does it fill the log');
$_->close for @many;
ok($t->wait_for(sub { ((AMT::Dial::ask($path, 'LIST * HTTP/1.1', 2))[0] // 0) == 200 }),
    'it accepts again when there are some');

# CPU ticks of a process
sub times_of {
    open my $f, '<', "/proc/$_[0]/stat" or return 0;
    my @f = split ' ', <$f>;
    return $f[13] + $f[14];
}

$t->done;
