#!/usr/bin/perl

# Channels between a device and dialers: windows and credits, bulk data both
# ways, slow readers, the pool's time, shortage, stale and hostile messages,
# and real requests to an emulated device.

use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Dial;
use AMT::Sim;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $slow = AMT::Test::slow();
my $t = AMT::Test->new(workers => 1);
my $hooks = AMT::Stub->new($t->dir . '/hooks.sock');

$hooks->answer('/auth', 204);

$t->certs;
$t->start(stream => <<'EOF');
    log_format device '[$cira_guid] [$cira_close_reason] '
                      '[$cira_channels_opened] '
                      '[$cira_data_received/$cira_data_sent]';

    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        access_log %%DIR%%/logs/device.log device;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:small%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
        cira_channels 2;
        cira_queue 1;
        cira_window 32k redirection=1m;
    }
    server {
        listen unix:%%DIR%%/cira.sock;
        cira_connect;
    }
EOF

my $sock = $t->dir . '/cira.sock';
my $guid = '4c4c4544-0001-4d10-8051-000000000001';
my $tiny = '4c4c4544-0001-4d10-8051-000000000002';

my $d = AMT::Apf->connect($t->port('cira'));
ok($d->login('admin', 'x', ports => [ 16993, 16992, 16994, 5900 ]),
    'a device connects');

sub opened {
    my ($port, %h) = @_;
    my $credits = delete $h{-credits} // 65536;
    my $remote = delete $h{-remote} // 7;
    my $c = AMT::Dial->new($sock, $guid, $port, %h);
    my $m = $d->expect(90) or return ($c);
    $d->send(AMT::Apf::confirm($m->{channel}, $remote, $credits));
    is($c->status, 200, "a channel to $port");
    return ($c, $m->{channel});
}

sub closed {
    my ($c, $ch) = @_;
    $c->close;
    my $m = $d->expect(97);
    ok($m, "channel $ch is closed");
    $d->send(AMT::Apf::close_channel($ch));
}

# ---- windows -----------------------------------------------------------------

my %window = (16992 => 80 << 10, 16993 => 80 << 10, 16994 => 256 << 10,
    5900 => 256 << 10);
for my $port (sort keys %window) {
    my $c = AMT::Dial->new($sock, $guid, $port);
    my $m = $d->expect(90);
    is("$m->{port} $m->{window} $m->{name}",
        "$port $window{$port} forwarded-tcpip", "window of port $port");
    $d->send(AMT::Apf::open_failure($m->{channel}, 1));
    is($c->status, 502, 'refused');
}

my $small = AMT::Apf->connect($t->port('small'));
$small->login('admin', 'x', guid => $tiny, ports => [ 16992, 16994 ]);
sleep 0.5;                       # or the second dialer finds the queue full
my @c = map { AMT::Dial->new($sock, $tiny, $_) } 16992, 16994;
is(join(' ', sort { $a <=> $b } map { $small->expect(90)->{window} } 1, 2),
    (32 << 10) . ' ' . (1 << 20), 'cira_window');
my $waits = AMT::Dial->new($sock, $tiny, 16992);
ok(!$small->expect(90, 0.3), 'cira_channels');
is(AMT::Dial->new($sock, $tiny, 16992)->status, 503, 'cira_queue');
$small->close;
is($_->status, 404, 'a device that goes takes its dialers along')
    for @c, $waits;

# ---- bulk data -----------------------------------------------------------------

# device to dialer, as fast as the window allows, in odd pieces
my ($c, $ch) = opened(16994);
my $data = join '', map { pack 'N', $_ * 2654435761 % 4294967296 } 1 .. 500_000;
my ($pos, $open, $got) = (0, $window{16994}, '');
my $end = time + 20 * $slow;
while (length $got < length $data && time < $end) {
    while ($open && $pos < length $data) {
        my $n = 1 + int rand 9000;
        $n = $open if $n > $open;
        $n = length($data) - $pos if $n > length($data) - $pos;
        $d->send(AMT::Apf::data($ch, substr $data, $pos, $n));
        $pos += $n;
        $open -= $n;
    }
    $got .= $c->read(65536, 0.02);
    while (my $m = $d->read(0.005)) {
        $open += $m->{bytes_added} if $m->{type} == 93;
    }
}
is(md5_hex($got), md5_hex($data), '2 MB from the device arrive as they were')
    or diag(length($got), ' of ', length($data), ", sent $pos, window $open");

# dialer to device, with credits in drips
my $put = substr $data, 0, 300_000;
my $pid = fork // die;
if (!$pid) {
    $c->send($put);
    POSIX::_exit(0);
}
$got = '';
my ($biggest, $credits) = (0, 65536);
$end = time + 20 * $slow;
while (length $got < length $put && time < $end) {
    my $m = $d->expect(94, 5 * $slow) or last;
    $got .= $m->{data};
    $biggest = length $m->{data} if length $m->{data} > $biggest;
    $credits -= length $m->{data};
    last if $credits < 0;
    if ($credits < 2000) {
        my $n = 499 + int rand 8000;
        $d->send(AMT::Apf::adjust($ch, $n));
        $credits += $n;
    }
}
waitpid $pid, 0;
is(md5_hex($got), md5_hex($put), '300 KB to the device arrive as they were');
ok($credits >= 0, 'never more than the credits');
ok($biggest <= 4096, 'in DATA of at most 4096 bytes');
closed($c, $ch);

# ---- a dialer that does not read ---------------------------------------------

SKIP: {
    skip 'memory is not measured with sanitizers', 2 if AMT::Test::variant();

    my ($worker) = $t->workers;
    my $before = $t->rss($worker);
    my @slow = map { [ opened(16994, -remote => $_) ] } 1 .. 5;
    my $taken = 0;

    for my $s (@slow) {
        my $room = $window{16994};
        my $stop = time + 5;
        while (time < $stop) {
            while ($room >= 4096) {
                $d->send(AMT::Apf::data($s->[1], 'z' x 4096));
                $room -= 4096;
                $taken += 4096;
            }
            my $m = $d->read(0.3) or last;
            $room += $m->{bytes_added} if $m->{type} == 93;
        }
    }

    # beyond what sockets hold, a window of each is all that is kept
    my $kept = $t->rss($worker) - $before;
    ok($kept < 5 * $window{16994} + 500_000,
        'memory for 5 slow readers is bounded')
        or diag("$kept bytes, $taken were taken");
    $d->send(AMT::Apf::keepalive(1));
    ok($d->expect(209), 'and the session goes on');
    closed(@$_) for @slow;
}

# ---- shortage, the pool's time -------------------------------------------------

$c = AMT::Dial->new($sock, $guid, 16992);
my $m = $d->expect(90);
my $start = time;
$d->send(AMT::Apf::open_failure($m->{channel}, 4));
my $again = $d->expect(90);
ok($again && $again->{channel} != $m->{channel}, 'resource shortage: again');
ok(time - $start > 0.2, 'but not at once');
$d->send(AMT::Apf::confirm($again->{channel}, 7, 100));
is($c->status, 200, 'the dialer did not notice');
closed($c, $again->{channel});

($c, $ch) = opened(16992, 'CIRA-Release' => 'chunked');
$c->release;
is($c->eof, '', 'released to the pool');
$start = time;
$m = $d->expect(97, 8 * $slow);
ok($m, 'an idle channel is closed');
ok(time - $start > 3, 'after about 4 s');
$d->send(AMT::Apf::close_channel($ch));

# ---- stale and hostile ---------------------------------------------------------

($c, $ch) = opened(16992);
$d->send(AMT::Apf::close_channel($ch - 1), AMT::Apf::adjust($ch - 1, 5),
    AMT::Apf::data($ch - 1, 'stale'), AMT::Apf::data(0xffffffff, 'x' x 5000),
    AMT::Apf::close_channel(0), AMT::Apf::confirm($ch, 9, 0xffffffff),
    AMT::Apf::open_failure($ch, 2), AMT::Apf::adjust($ch, 0),
    AMT::Apf::adjust($ch, 0xffffffff), AMT::Apf::adjust($ch, 0xffffffff),
    AMT::Apf::data($ch, ''), AMT::Apf::data($ch, 'alive'));
is($c->read(5), 'alive', 'stale messages do nothing');
$c->send('x' x 100);
is(length($d->expect(94)->{data}), 100, 'credits saturate');
$d->send(AMT::Apf::confirm(1000, 77, 1));
is(unpack('x N', $d->expect(97)->{bytes}), 77,
    'a channel nobody asked for is given back');
closed($c, $ch);

$d->{skipped} = [];
my $flood = join '', map { AMT::Apf::keepalive($_) } 1 .. 2000;
$d->send($flood);
my $replies = 0;
while (my $r = $d->read(1 * $slow)) { $replies++ if $r->{type} == 209; last if $replies == 2000 }
is($replies, 2000, 'a flood of keepalives is answered');

$d->send(AMT::Apf::disconnect(11));
ok($t->wait_for(sub { $t->read_file('logs/device.log')
    =~ /^\[$guid\] \[device sent DISCONNECT\] \[(\d+)\] \[(\d+)\/(\d+)\]$/m }),
    'access log of channels');
my ($n, $in, $out) = $t->read_file('logs/device.log')
    =~ /^\[$guid\] .* \[(\d+)\] \[(\d+)\/(\d+)\]$/m;
ok($n >= 4 && $in >= length $data && $out == 300_100,
    'counts channels and their bytes') or diag("$n $in $out");

# ---- a device --------------------------------------------------------------------

my $sim = AMT::Sim->start(mps => '127.0.0.1:' . $t->port('cira'),
    ca => $t->dir . '/root.crt', amt_password => 'Adm1n!pw',
    wait => 20);
ok($sim->wait_event('ready'), 'the emulator connects');

my @answers;
for my $i (1 .. 3) {
    $c = AMT::Dial->new($sock, $sim->guid(0), 16992);
    is($c->status(10 * $slow), 200, 'a channel to the emulator');
    $c->send("POST /wsman HTTP/1.1\r\nHost: x\r\n"
        . "Content-Length: 0\r\n\r\n");
    my $all = $c->eof(10 * $slow) // '';
    push @answers, $all =~ m{^HTTP/1\.1 (\d+)} ? $1 : $all;
}
is(join(' ', @answers), '401 401 401', 'it asks for credentials');

is($sim->stop, 0, 'the gateway kept to the protocol') or diag($sim->log);

$t->done;
