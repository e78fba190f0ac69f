#!/usr/bin/perl

# Many calls to one device at the same moment, whose nonce nobody knows yet:
# on the device's worker, on others, over sockets.  One of them asks for a
# challenge, and the others use it; a password the device refuses is tried by
# one of them, and not by all.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Api;
use AMT::Dial;
use IO::Select;

my %key = %AMT::Api::key;
my $slow = AMT::Test::slow();
my @paths = qw(version generalSettings power/state power/capabilities features
    power/bootSources);

my ($t, $vault, $sim, $guid);

sub begin {
    my ($workers, $direct) = @_;

    local $ENV{AMT_DIRECT} = $direct;
    ($t, $vault) = AMT::Api::start(test => { workers => $workers },
        stream => 'cira_queue 256;',
        http => 'amt_digest_zone 1m; amt_timeout ' . 10 * $slow . 's; amt_budget ' . 30 * $slow
            . 's;');
}

sub end {
    undef $vault;
    $t->stop;
}

# n calls over connections of their own: the statuses, in any order
sub burst {
    my ($n, %o) = @_;
    my (%open, @status);
    my $select = IO::Select->new;
    my $path = $o{path};

    my @s = map { $t->socket('http') } 1 .. $n;
    for my $i (0 .. $#s) {
        my $p = $path || $paths[$i % @paths];
        $s[$i]->syswrite("GET /api/v1/amt/$p/$guid HTTP/1.1\r\nHost: x\r\n"
            . "Connection: close\r\nX-API-Key: $key{reader}\r\n\r\n");
        $open{$s[$i]} = '';
        $select->add($s[$i]);
    }

    my $end = time + 40 * $slow;
    my $then = $o{then};
    while ($select->count && time < $end) {
        for my $s ($select->can_read(0.05)) {
            next if $s->sysread($open{$s}, 65536, length $open{$s});
            $select->remove($s);
            push @status, $open{$s} =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none';
            diag($open{$s} =~ s/.*\r\n\r\n//sr) if $o{verbose} && $1 != 200;
        }
        $then->() if $then;
    }
    push @status, ('late') x $select->count;

    return @status;
}

sub count {
    my %n;
    $n{$_}++ for @_;
    return join ' ', map { "$n{$_} x $_" } sort keys %n;
}

# neither a password nor a nonce is known, on neither side
sub cold {
    $t->delete("/api/v1/devices/refresh/$guid", key => $key{admin});
    $sim->disconnect(0);
    $sim->mark->connect(0);
    $sim->wait_event('ready', guid => $guid) or die $sim->log;
    $sim->set(0, 'nonce', '');
}

sub device {
    $sim = AMT::Api::devices($t, stay => 1, wait => 10 * $slow, @_);
    $guid = $sim->guid(0);
}

sub failures { scalar grep { $_->{event} eq 'auth_failed' } @{$sim->events} }

sub round {
    my ($n, $what, %o) = @_;

    cold();
    my $challenges = $sim->stats->{unauthorized};
    my $failures = failures();
    my $begin = time;
    my @got = burst($n);
    my $took = sprintf '%.2f', time - $begin;
    is(count(@got), "$n x 200", "$what: $n calls at once");
    cmp_ok($sim->stats->{unauthorized} - $challenges, '<=', $o{max} || 1,
        "$what: few challenges");
    is(failures() - $failures, 0, "$what: no login failed");
    note("$what: $n in $took s");
}

for (
    [ 1, 'off', 20, 128 ], [ 1, 'on', 60 ], [ 2, 'on', 20, 60 ],
    [ 4, 'on', 20, 128 ],
) {
    my ($workers, $direct, @n) = @$_;
    my $what = "$workers workers, direct $direct";
    begin($workers, $direct);
    device();
    round($_, $what) for @n;
    is($sim->stop, 0, "$what: the gateway kept to the protocol")
        or diag $sim->log;
    end();
}

# ---- devices and calls of other kinds, two workers -------------------------------

begin(2, 'on');

sub owner {
    for my $path (glob $t->dir . '/cira/*.sock') {
        my ($pid) = $path =~ m{([0-9a-f]{8})\.sock$} or next;
        my ($status) = AMT::Dial::ask($path, "LOCATE $guid HTTP/1.1");
        return hex($pid) & 0x3fffff if ($status // 0) == 200;
    }
    return 0;
}

my $number = 1;

for (
    [ 60, 'far away', latency => 20 ],
    [ 20, 'closes after each answer', http_close => 1 ],
    [ 20, 'the same, and does not say so', misbehave => 'silent-close' ],
    [ 20, 'nonces for 3 requests', nonce_requests => 3, -max => 120 ],
    [ 20, 'nonces for 1 request, said to be stale', nonce_requests => 1,
        stale => 1, -max => 240 ],
    [ 30, 'nonces for seconds', nonce_seconds => 2, latency => 20,
        -max => 20 ],
) {
    my ($n, $what, %o) = @$_;
    my $max = delete $o{-max};

    device(guid => sprintf('a0000000-0000-4000-8000-0000000001%02x',
        $number++), %o);
    round($n, $what, max => $max);
    is($sim->stop, 0, "$what: the gateway kept to the protocol")
        or diag $sim->log;
}

# clients that leave, in the middle of whatever they were about

device(guid => 'a0000000-0000-4000-8000-000000000200', latency => 5);

for my $wait (1 .. 8) {
    cold();
    my @leave = map {
        my $s = $t->socket('http');
        $s->syswrite("GET /api/v1/amt/$paths[$_ % @paths]/$guid HTTP/1.1\r\n"
            . "Host: x\r\nX-API-Key: $key{reader}\r\n\r\n");
        $s;
    } 1 .. 12;
    sleep 0.007 * $wait * $slow;
    close $_ for @leave;
    is(count(burst(4)), '4 x 200', 'after clients that left');
}
is(failures(), 0, 'no login failed');
is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

# ---- a password the device refuses -----------------------------------------------

device(guid => 'a0000000-0000-4000-8000-000000000300', amt_password => 'Other1!x',
    lockout => 5, lockout_seconds => 60);
cold();
my $begin = time;
is(count(burst(60)), '60 x 500', 'a wrong password, 60 calls at once');
cmp_ok(time - $begin, '<', 5 * $slow, 'which end soon');
is(failures(), 1, 'one login failed') or diag $sim->log;
like($t->log, qr/device refused AMT_PASSWORD of Vault/, 'the log tells why');

# the right one again, on the device: not tried for a while, unless told so

$sim->set(0, 'amt-password', 'P@ssw0rd');
is(count(burst(3)), '3 x 500', 'the device is left alone');
is($t->delete("/api/v1/devices/refresh/$guid", key => $key{admin})->{status},
    200, 'but for an order');
is(count(burst(20)), '20 x 200', 'then it is tried');
is(failures(), 1, 'and accepted');

# changed while it was known

$sim->set(0, 'amt-password', 'Other1!x');
is(count(burst(60)), '60 x 500', 'changed on the device');
cmp_ok(failures(), '<=', 3, 'two logins failed');

# changed in the secret store, too: at once

is($t->patch('/api/v1/devices', key => $key{admin},
    json => { guid => $guid, amtpassword => 'Other1!x' })->{status}, 200,
    'the new one in the secret store');
is(count(burst(60)), '60 x 200', 'is tried at once');
cmp_ok(failures(), '<=', 3, 'and accepted');
is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;

end();

# ---- the worker that asks for the challenge is killed -----------------------------

begin(3, 'on');
device(guid => 'a0000000-0000-4000-8000-000000000400', latency => 100 * $slow);

for my $wait (0.05, 0.15, 0.25) {
    cold();
    my $owner = owner();
    my ($victim, $witness) = grep { $_ != $owner } $t->workers;

    my $on = sub {
        my ($pid, $n) = @_;
        $t->stop_workers(grep { $_ != $pid } $t->workers);
        my @s = map { $t->socket('http') } 1 .. $n;
        $_->syswrite("GET /api/v1/amt/generalSettings/$guid HTTP/1.1\r\n"
            . "Host: x\r\nConnection: close\r\nX-API-Key: $key{reader}\r\n\r\n")
            for @s;
        sleep 0.1 * AMT::Test::pace();
        kill 'CONT', $t->workers;
        return @s;
    };

    my @dead = $on->($victim, 3);
    sleep $wait * $slow;
    my @live = $on->($witness, 12);
    ok($t->kill_worker($victim), 'a worker with calls is killed');
    my @status = map { join('', <$_>) =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none' }
        @live;
    is(count(@status), '12 x 200', 'those of others go on');
}
is(failures(), 0, 'no login failed');
is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
end();

AMT::Test::done();
