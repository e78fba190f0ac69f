#!/usr/bin/perl

# Events of several workers: one queue for the broker, which outlives workers
# that are killed; batches of the device plane that come twice.

use strict;
use warnings;
use lib 't/lib';
use AMT::Api;
use AMT::Mqtt;
use AMT::Test;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);

$ENV{PATH} .= ':/usr/sbin:/usr/local/sbin';

plan skip_all => 'no mosquitto'
    if system('command -v mosquitto mosquitto_sub >/dev/null 2>&1');

my $n = 0;

sub config {
    my ($mqtt, $http) = @_;

    return (main => $AMT::Api::main, stream => AMT::Api::stream(),
        http => AMT::Api::http(http => "amt_mqtt $mqtt; " . ($http // ''),
            extra => 'location = /status { amt_status; }'));
}

my $t = AMT::Api::prepare(test => { workers => 2 });
my $vault = AMT::Vault->new($t->port('vault'));
my $broker = AMT::Mqtt->new($t, port => $t->port('mqtt'));
my $url = 'mqtt://127.0.0.1:%%PORT:mqtt%%';

sub status { $t->get('/status')->{json}{mqtt} || {} }

sub guid { sprintf 'dead0000-0000-4000-8000-%012x', ++$n }

sub alert {
    my ($seq, $reason) = @_;
    return { seq => $seq, type => 'alert', generation => 1, tenant => '',
        guid => guid(), address => '::1', time => int(time * 1000),
        reason => $reason // "number $seq" };
}

# What the device plane posts; each on a connection of its own, so that the
# workers share them
sub batch {
    my ($source, @events) = @_;
    my $body = encode_json({ worker => '1', events => \@events,
        defined $source ? (source => $source) : () });
    my $s = $t->socket("unix:$t->{dir}/amt.sock");
    my $r = $t->exchange($s, "POST /_cira/notify HTTP/1.0\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body", 10);

    return $r =~ m{^HTTP/1\.\d (\d+)} ? $1 : 0;
}

sub told {
    my ($re) = @_;
    return map { $_->{message} =~ $re ? $1 : () } $broker->events;
}

# the numbers that were told, in order, when the last one was
sub numbers {
    my ($name, $last) = @_;
    $t->wait_for(sub { grep { $_ eq $last } told(qr/: $name (\d+)$/) }, 20);
    return join ' ', told(qr/: $name (\d+)$/);
}

sub events { my ($name, @n) = @_; map { alert($_, "$name $_") } @n }

sub alive {
    my @pids = @_;
    return $t->wait_for(sub { my @w = $t->workers;
        my %w = map { $_ => 1 } @w; @w == 2 && !grep { $w{$_} } @pids });
}

# ---- the queue has to fit ----

{
    my ($ok, $text) = $t->check(config("$url queue=20000"));
    ok(!$ok, 'a queue that the zone cannot hold');
    like($text, qr/"amt_events_zone" has room for \d+ events, fewer than the "queue="/,
        'is refused, with the reason');
    ($ok) = $t->check(config("$url queue=20000", 'amt_events_zone 16m;'));
    ok($ok, 'a larger zone can');
}

# ---- batches that come again ----

$broker->start;
$broker->subscribe('mps/events');
$t->start(config($url));
ok($t->wait_for(sub { status()->{connected} }, 10), 'connected');

my ($one, $two) = ('00000000000000a1', 'ffffffffffffffff');
is(batch($one, events('once', 1 .. 5)), 204, 'a batch');
is(batch($one, events('once', 1 .. 5)), 204, 'that comes again');
is(batch($one, events('once', 3 .. 8)), 204, 'and with more behind it');
is(batch($one, events('once', 9)), 204, 'the next one');
is(numbers('once', 9), '1 2 3 4 5 6 7 8 9', 'each event is told once');
is(batch($two, events('other', 1 .. 2)), 204, 'another source');
is(numbers('other', 2), '1 2', 'has numbers of its own');
is(batch($one, events('once', 10)), 204, 'the first one goes on');
is(numbers('once', 10), '1 2 3 4 5 6 7 8 9 10', 'where it was');
is(batch(undef, events('none', 1)), 204, 'without a source') for 1, 2;
is(batch(undef, events('none', 2)), 204, 'nothing is known');
is(numbers('none', 2), '1 1 2', 'so each is told');
is(batch($_, events('bad', 1)), 400, "source \"$_\"")
    for 'a1', '00000000000000g1', '00000000000000a10';
is(batch($one, events('once', 11)), 204, 'reload') if $t->reload;
is(batch($one, events('once', 11)), 204, 'and again');
is(batch($one, events('once', 12)), 204, 'and on');
is(numbers('once', 12), '1 2 3 4 5 6 7 8 9 10 11 12',
    'a reload does not forget');

# ---- workers that die ----

{
    my $subs = $broker->subscribed;
    $broker->stop;
    ok($t->wait_for(sub { !status()->{connected} }), 'the broker is away');
    is(batch($one, events('kept', $_)), 204, 'an event') for 13 .. 22;
    is(status()->{queued}, 10, 'all workers have one queue');
    my @pids = $t->workers;
    $t->allow(qr/exited on signal 9/);
    kill 'KILL', @pids;
    ok(alive(@pids), 'both workers are killed');
    is(status()->{queued}, 10, 'nothing is lost');
    is(status()->{dropped}, 0, 'nor dropped');
    kill 'STOP', $t->workers;
    $broker->start;
    $t->wait_for(sub { $broker->subscribed > $subs }, 30);
    kill 'CONT', $t->workers;
    is(numbers('kept', 22), join(' ', 13 .. 22), 'and all is told, in order');
}

$t->stop;

# QoS 1, and one that dies while it sends
$t->start(config("$url qos=1"));
ok($t->wait_for(sub { status()->{connected} }, 10), 'QoS 1');
{
    my $seq = 0;
    for my $round (1 .. 3) {
        batch($one, events('sent', map { ++$seq } 1 .. 40)) for 1 .. 5;
        my ($pid) = $t->workers;
        kill 'KILL', $pid;
        alive($pid);
    }
    batch($one, events('sent', ++$seq));
    my %seen = map { $_ => 1 } split ' ', numbers('sent', $seq);
    ok($t->wait_for(sub { $seen{$_}++ for told(qr/: sent (\d+)$/);
        keys %seen == $seq }, 20), "$seq events, each at least once");
    ok($t->wait_for(sub { status()->{queued} == 0 }, 20), 'the queue is empty');
    is(status()->{dropped}, 0, 'none is dropped');
}
$broker->unsubscribe;
$t->stop;
$broker->stop;

# ---- what is dropped is counted, no more and no less ----

{
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $t->port('deaf'), Listen => 16, ReuseAddr => 1,
        Proto => 'tcp') or die "listen: $!";
    $t->{workers} = 1;
    $t->start(config('mqtt://127.0.0.1:%%PORT:deaf%% qos=1 queue=100'));
    my $c = $listen->accept;
    sysread $c, my $buf, 4096;
    syswrite $c, "\x20\x02\x00\x00";
    ok($t->wait_for(sub { status()->{connected} }, 10),
        'a broker that acknowledges nothing');
    batch($one, events('drop', 1 .. 100));
    is(status()->{queued}, 100, 'a full queue');
    is(status()->{dropped}, 0, 'drops nothing');
    batch($one, events('drop', 101 .. 130));
    is(status()->{queued}, 100, 'one that is too full');
    is(status()->{dropped}, 10, 'drops what is not on its way');
    close $c;
    ok($t->wait_for(sub { status()->{dropped} == 30 }, 10),
        'and counts that when it is lost') or diag explain status();
    is(status()->{queued}, 100, 'the rest waits');
    $c = $listen->accept;
    sysread $c, $buf, 4096;
    syswrite $c, "\x20\x02\x00\x00";
    my $in = '';
    $t->wait_for(sub { sysread($c, $in, 65536, length $in);
        $in =~ /drop 50"/ });
    like($in, qr/: drop 31"/, 'beginning with the oldest');
    unlike($in, qr/: drop 30"/, 'that was not dropped');
    is(status()->{published}, 0, 'nothing has arrived yet');
    my ($id) = $in =~ /mps\/events(..)\{/s;
    syswrite $c, "\x40\x02$id";
    ok($t->wait_for(sub { status()->{published} == 1 }), 'one has');
    is(status()->{queued}, 99, 'and left the queue');
    $t->stop;
}

AMT::Test::done();
