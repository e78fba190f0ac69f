#!/usr/bin/perl

# Redirection sessions of workers that have another registry: a changed size
# of amt_relay_zone, a binary upgrade.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use AMT::Redir;
use Time::HiRes qw(sleep time);

my %o = (extra => 'location = /relay/webrelay.ashx { amt_relay; }');
my $conf = sub {
    my (%more) = @_;
    return (main => $AMT::Api::main,
        stream => AMT::Api::stream(%o, stream => 'cira_drain 600s;'),
        http => AMT::Api::http(%o, http => "amt_ws_drain 600s; $more{http}"));
};
my $t = AMT::Api::prepare(test => { workers => 2 });
my $vault = AMT::Vault->new($t->port('vault'));
$t->start($conf->(http => 'amt_relay_zone 1m;'));

my $key = $AMT::Api::key{admin};
my $sim = AMT::Api::devices($t, reconnect => 50, reconnect_max => 200);
my $guid = $sim->guid(0);
my %old;

sub view {
    my (%o) = @_;
    my $v = AMT::Redir->open($t, guid => $guid, key => $key, %o);
    return $v if $v->{ws}{status} == 101 && $v->login
        && $v->can($v->{kind})->($v);
    diag $v->{ws}{status}, ' ', $v->{error} // '',
        ' ', join ' ', $v->{ws}->wait_close;
    return;
}

sub flags {
    my $r = $t->get("/api/v1/devices/redirectstatus/$guid", key => $key);
    return join '', map { $r->{json}{"is${_}Connected"} ? 1 : 0 }
        qw(KVM SOL IDER);
}

sub echo {
    my ($v) = @_;
    $v->type("ver\r");
    return defined $v->shows(qr/ver\r\n\d.*C:\\> /s);
}

sub refused {
    my (%o) = @_;
    my $v = AMT::Redir->open($t, guid => $guid, key => $key, %o);
    return "$v->{ws}{status} " . join ' ', $v->{ws}->wait_close;
}

sub fresh {
    # kept connections are with workers that are leaving
    delete $t->{ua};
    %old = map { $_ => 1 } $t->workers(all => 1);
}

# What must be the same with a new generation of workers: $v is a SOL, $k a
# KVM session of the old one; returns those of the new one.
sub generation {
    my ($v, $k, $name) = @_;

    ok(echo($v), "$name: the session goes on in its old worker");
    is(flags(), '110', 'new workers know it, and the other one');
    is(refused(), '101 1013 another session is open',
        'a second one is told that it is open');
    ok(echo($v), 'which the first one does not notice');
    my $w = view(args => '&force=1');
    is(join(' ', $v->{ws}->wait_close), '4001 session was taken over',
        'it is taken over by a new worker');
    ok($w && echo($w), 'which works');
    $k->pictures(1);
    ok(length $k->picture, 'the session of another kind stays');
    is(refused(), '401 1006 ', 'the new one is in the registry');
    $k->{ws}->close;
    $k->{ws}->wait_close;
    ok($t->wait_for(sub { flags() eq '010' }), 'the other one ends');
    my $n = view(kind => 'kvm');
    ok($n, 'and one of its kind begins at once, without force');

    return ($w, $n);
}

# ---- another size ----

my ($v, $k) = (view(), view(kind => 'kvm'));
ok($v && $k, 'SOL and KVM');
fresh();
$t->config($conf->(http => 'amt_relay_zone 2m;'));
ok($t->reload, 'reload with another size');
$t->wait_for(sub { !grep { $old{$_} } $t->workers });
($v, $k) = generation($v, $k, 'size');

# ---- binary upgrade ----

fresh();
my $oldmaster = $t->upgrade;
ok($oldmaster, 'USR2');
kill 'WINCH', $oldmaster;
$t->wait_for(sub { !grep { $old{$_} } $t->workers(master => $t->master) });
# those of before have to be found first
ok($t->wait_for(sub { flags() eq '110' }, 10), 'new workers find the old');
sleep 1;
($v, $k) = generation($v, $k, 'upgrade');

# ---- and an old worker that does not answer ----

{
    fresh();
    $t->config($conf->(http => 'amt_relay_zone 1m;'));
    $t->reload;
    $t->wait_for(sub { !grep { $old{$_} } $t->workers(
        master => $t->master) });
    my @stopped = grep { $old{$_} } $t->workers(all => 1);
    # the device may be one's; a query does not need it
    kill 'STOP', @stopped;
    my $start = time;
    my $r = $t->get("/api/v1/devices/redirectstatus/$guid", key => $key);
    kill 'CONT', @stopped;
    is($r->{status}, 200, 'workers that hang do not keep the answer back');
    cmp_ok(time - $start, '<', (3 * @stopped + 3) * AMT::Test::slow(),
        'for long');
    ok($t->log_wait(qr/did not say what redirection sessions it has/, 5),
        'that is logged');
}

# an old worker that is stopped while it has connections would complain
$_->{ws}->close for $v, $k;
$_->{ws}->wait_close for $v, $k;
close $_->{ws}{socket} for $v, $k;
$t->wait_for(sub { flags() eq '000' });
sleep 0.2;
kill 'TERM', $oldmaster;
$sim->stop;
AMT::Test::done();
