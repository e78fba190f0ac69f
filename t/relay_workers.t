#!/usr/bin/perl

# Redirection sessions and several workers: takeover across them, a killed
# worker, reload, drain.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;
use Time::HiRes qw(sleep time);

my %o = (extra => 'location = /relay/webrelay.ashx { amt_relay; }
    location = /pid { return 200 $pid; }');
my $conf = sub {
    my (%more) = @_;
    return (main => $AMT::Api::main, stream => AMT::Api::stream(%o, %more),
        http => AMT::Api::http(%o, %more));
};
my ($t, $vault) = AMT::Api::start(%o, test => { workers => 2 });
my $key = $AMT::Api::key{admin};
my $sim = AMT::Api::devices($t, reconnect => 50, reconnect_max => 200);
my $guid = $sim->guid(0);

sub view {
    my (%o) = @_;
    my $v = AMT::Redir->open($t, guid => $guid, key => $key, %o);
    return $v if $v->{ws}{status} == 101 && $v->login && $v->sol;
    diag $v->{ws}{status}, ' ', $v->{error} // '',
        ' ', join ' ', $v->{ws}->wait_close;
    return;
}

sub flag {
    my $r = $t->get("/api/v1/devices/redirectstatus/$guid", key => $key);
    return $r->{json}{isSOLConnected} ? 1 : 0;
}

sub echo {
    my ($v) = @_;
    $v->type("ver\r");
    return defined $v->shows(qr/ver\r\n\d.*C:\\> /s);
}

sub owner {
    my ($v) = @_;
    my $port = $v->{ws}{socket}->sockport;
    my $hex = sprintf ':%04X', $port;

    # the worker whose end of the connection it is; rows may shift meanwhile
    for (1 .. 20) {
        open my $f, '<', '/proc/net/tcp' or return 0;
        my ($inode) = grep { $_ } map { (split ' ')[9] }
            grep { (split ' ')[2] =~ /$hex$/ } <$f>;
        for my $pid ($inode ? $t->workers(all => 1) : ()) {
            return $pid if grep { (readlink($_) // '') eq "socket:[$inode]" }
                glob "/proc/$pid/fd/*";
        }
        sleep 0.05;
    }
    return 0;
}

# ---- takeover, until there was one across workers ----

my $v = view();
ok($v, 'a session');
my ($across, $within) = (0, 0);
for (1 .. 40) {
    last if $across && $within;
    my $from = owner($v);
    my $w = view(args => '&force=1') or last;
    my @end = $v->{ws}->wait_close;
    if ("@end" ne '4001 session was taken over') {
        fail("loser: @end");
        last;
    }
    owner($w) == $from ? $within++ : $across++;
    $v = $w;
}
ok($across, 'taken over from another worker');
ok($within, 'and from the same');
ok(echo($v), 'the winner works');
is(flag(), 1, 'one session');

{
    # two at once: one of them wins, and nobody is left without a word
    my @w = map { AMT::Redir->open($t, guid => $guid, key => $key,
        args => '&force=1') } 1, 2;
    is(join(' ', map { $_->{ws}{status} } @w), '101 101', 'two takers');
    is(($v->{ws}->wait_close)[0], 4001, 'the loser is told');
    my @won = grep { $_->login && $_->sol } @w;
    is(scalar @won, 1, 'one wins');
    my ($lost) = grep { $_ != $won[0] } @w;
    like(join(' ', $lost->{ws}->wait_close),
        qr/^(?:1013 another session is open|4001 session was taken over)$/,
        'the other one is told');
    $v = $won[0];
}

# ---- a worker that dies ----

{
    my $pid = owner($v);
    ok($pid, 'the session has a worker');
    $t->kill_worker($pid);
    is(($v->{ws}->wait_close)[0], 1006, 'the browser sees an end');
    my $w;
    ok($t->wait_for(sub {
        $t->get("/api/v1/devices/redirectstatus/$guid", key => $key)
            ->{status} == 200 && !flag() }), 'the session is free');
    # the device may have been the dead worker's, too
    ok($t->wait_for(sub { $w = view() }), 'and can be opened without force');
    $v = $w;
}

# ---- reload ----

{
    my $pid = owner($v);
    ok($t->reload, 'reload');
    $t->wait_for(sub { !grep { $_ == $pid } $t->workers });
    ok(echo($v), 'the session goes on in its old worker');
    is(owner($v), $pid, 'it is the same one');
    is(flag(), 1, 'new workers know');
    my $s = AMT::Redir->open($t, guid => $guid, key => $key);
    is($s->{ws}{status}, 401, 'and refuse a second one');
    my $w = view(args => '&force=1');
    is(join(' ', $v->{ws}->wait_close), '4001 session was taken over',
        'unless it takes over');
    ok($w && echo($w), 'which works');
    isnt(owner($w), $pid, 'in a new worker');
    $v = $w;
}

# ---- drain ----

{
    $t->config($conf->(http => 'amt_ws_drain 2s;'));
    $t->reload;
    $t->wait_for(sub { $t->workers == 2 });
    $v->{ws}->close;
    $v->{ws}->wait_close;
    $t->wait_for(sub { !flag() });
    $v = view();
    my $k = AMT::Redir->open($t, guid => $guid, key => $key, kind => 'kvm');
    ok($k->login && $k->kvm, 'KVM');
    my $start = time;
    $t->reload;
    ok(echo($v), 'drain: goes on at first');
    is(join(' ', $v->{ws}->wait_close), '1001 worker is being replaced',
        'then it ends, with a reason')
        or diag $t->log;
    is(($k->{ws}->wait_close)[0], 1001, 'and so does the other');
    close $v->{ws}{socket};
    cmp_ok(time - $start, '<', 4 * AMT::Test::slow(), 'in time');
    ok($v = view(), 'a new worker has the next one');

    # an old worker that is stopped while it closes would complain
    close $_->{ws}{socket} for $k, $v;
    $t->wait_for(sub { !flag() });
    sleep 0.2;
}

is($sim->stop, 0, 'the gateway kept to the protocol') or diag $sim->log;
AMT::Test::done();
