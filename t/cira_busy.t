#!/usr/bin/perl

# An owner that lives but cannot take a dialer - its accept queue or its table
# of connections is full - is busy: 503, not 404, for CONNECT and for REST.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Dial;
use Errno qw(EAGAIN);
use IO::Handle;
use Socket;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my $t = AMT::Api::prepare(test => { workers => 2 });
my $vault = AMT::Vault->new($t->port('vault'));

# few connections, so that a test can use them up
$t->start(main => $AMT::Api::main, events => 'worker_connections 64;',
    http => AMT::Api::http(api => 'add_header X-Pid $pid always;'),
    stream => AMT::Api::stream());

my $sim = AMT::Api::devices($t, count => 1);
my $guid = $sim->guid(0);
my $sock = $t->dir . '/connect.sock';
my $path = "/api/v1/amt/power/state/$guid";

my ($private, $pid);
for my $p (glob $t->dir . '/cira/*.sock') {
    my ($status) = AMT::Dial::ask($p, "LOCATE $guid HTTP/1.1");
    next if $status != 200;
    $private = $p;
    $pid = hex(($p =~ /([0-9a-f]{8})\.sock$/)[0]) & 0x3fffff;
}
ok($pid, 'one worker has the device');

sub talk_to_other {
    for (1 .. 500) {
        my $got = $t->get('/api/v1/version', key => $key{admin})
            ->{headers}{'x-pid'};
        return 1 if $got && $got != $pid;
        delete $t->{ua};
    }
    return 0;
}

sub power { $t->get($path, key => $key{admin}, timeout => 10 * $slow) }

ok(talk_to_other(), 'requests go to the other one');
is(power()->{status}, 200, 'which reaches the device');

# ---- accept queue is full ----

$t->stop_workers($pid);

my @queue;
for (1 .. 2000) {
    socket my $s, AF_UNIX, SOCK_STREAM, 0 or die;
    $s->blocking(0);
    last if !connect($s, pack_sockaddr_un($private)) && $! == EAGAIN;
    push @queue, $s;
}
cmp_ok(scalar @queue, '<', 2000, 'accept queue of the owner is full');

my $c = AMT::Dial->new($sock, $guid, 16992);
is($c->status(5 * $slow), 503, 'CONNECT: busy');
my $r = power();
is($r->{status}, 503, 'REST: busy');
like($r->{headers}{'retry-after'}, qr/^\d+$/, 'try again');

@queue = ();
kill 'CONT', $pid;

ok($t->wait_for(sub { power()->{status} == 200 }), 'it is well again');

# ---- no free connection ----

my @idle;
for (1 .. 100) {
    my $d = AMT::Dial->raw($private, 'C') or last;
    push @idle, $d;
}
ok($t->log_wait(qr/64 worker_connections are not enough/),
    'connections of the owner are used up');

$t->stop_workers($pid);
$c = AMT::Dial->new($sock, $guid, 16992);
sleep 0.3 * $slow;
kill 'CONT', $pid;
is($c->status(5 * $slow), 503, 'CONNECT: busy');
SKIP: {
    # who asks must not be on the full worker
    skip 'the other worker is gone', 1 if !talk_to_other();
    $r = power();
    is($r->{status}, 503, 'REST: busy') or diag $r->{body};
}

@idle = ();
ok($t->wait_for(sub { power()->{status} == 200 }), 'it is well again');

$t->allow(qr/worker_connections are not enough/);
$sim->stop;
$t->done;
