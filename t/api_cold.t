#!/usr/bin/perl
# Many first calls to one device at once: it knows few nonces and says of none
# that it is stale, so each login must use what the one before has learned.

use strict;
use warnings;
use Test::More;
use AMT::Api;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my ($t, $vault) = AMT::Api::start(
    http => 'amt_timeout ' . (4 * $slow) . 's; amt_budget ' . (20 * $slow)
        . 's;');
my $sim = AMT::Api::devices($t, count => 1);
my $guid = $sim->guid(0);
my @paths = qw(version generalSettings power/state power/capabilities features
    power/bootSources);

for my $round (1 .. 3) {
    my @pids = map {
        my $path = $paths[$_ % @paths];
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            delete $t->{ua};
            my $r = $t->get("/api/v1/amt/$path/$guid", key => $key{reader});
            diag "$path: $r->{status} $r->{body}" if $r->{status} != 200;
            POSIX::_exit($r->{status} == 200 ? 0 : 1);
        }
        $pid;
    } 1 .. 18;

    my $failed = 0;
    for my $pid (@pids) {
        waitpid $pid, 0;
        $failed++ if $?;
    }
    is($failed, 0, "round $round: all of them are answered");

    # cold again: neither a password nor a nonce is known
    $t->delete("/api/v1/devices/refresh/$guid", key => $key{admin});
    $sim->set(0, 'nonce', '');
}

cmp_ok(scalar(grep { $_->{event} eq 'auth_failed' } @{$sim->events}), '<', 18,
    'few logins were refused');

# some leave in the middle: what they used of a nonce is not known to those who
# had left it to them
for my $round (1 .. 12) {
    $t->delete("/api/v1/devices/refresh/$guid", key => $key{admin});
    $sim->set(0, 'nonce', '');
    my @leave = map {
        my $s = $t->socket('http');
        print $s "GET /api/v1/amt/$paths[$_ % @paths]/$guid HTTP/1.1\r\n"
            . "Host: x\r\nX-API-Key: $key{reader}\r\n\r\n";
        $s->flush;
        $s;
    } 1 .. 9;
    select undef, undef, undef, 0.004 * $round;
    close $_ for @leave[grep { $_ % 3 } 0 .. 8];
    readline $leave[$_] for 0, 3, 6;
}
is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

AMT::Test::done();
