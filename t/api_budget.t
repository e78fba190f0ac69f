#!/usr/bin/perl
# REST: a call whose time ends while it changes the device finishes the
# change, and says what became of it.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Time::HiRes qw(time);

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my $latency = 350 * $slow;
my ($t, $vault) = AMT::Api::start(http => 'amt_budget ' . 900 * $slow . 'ms;'
    . 'amt_timeout ' . 20 * $slow . 's;');

my $sim = AMT::Api::devices($t, count => 1, latency => $latency,
    power_delay => 1);
my $guid = $sim->guid(0);

# the first one meets the challenge
$t->get("/api/v1/amt/generalSettings/$guid", key => $key{admin});

my $before = $sim->stats->{requests};
my $start = time;
my $r = $t->post("/api/v1/amt/power/action/$guid", key => $key{admin},
    json => { action => 8 });
my $took = time - $start;

cmp_ok($took, '>', 0.9 * $slow, 'the call took longer than its budget');
cmp_ok($sim->stats->{requests} - $before, '>', 2, 'it went on');
is($r->{status}, 200, 'and its result is told') or diag $r->{body};
is($r->{json}{Body}{ReturnValue}, 0, 'the device has done it');
ok($t->wait_for(sub { $sim->state(0)->{power} == 8 }), 'indeed')
    or diag $sim->state(0)->{power};

# a call that changes nothing ends with its time
$sim->misbehave(0, 'no-answer');
$start = time;
$r = $t->get("/api/v1/amt/generalSettings/$guid", key => $key{admin});
is($r->{status}, 504, 'a read is given up');
cmp_ok(time - $start, '<', 1.9 * $slow, 'in time');

$sim->stop;
$t->done;
