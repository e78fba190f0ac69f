#!/usr/bin/perl

# A zone that a reload has replaced, locked by a worker that is gone: nginx's
# master no longer looks after it, but old workers still use it.

use strict;
use warnings;
no warnings "portable";
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Stub;
use AMT::Test;

my $t = AMT::Test->new(workers => 1);
my $hooks = AMT::Stub->new($t->dir . '/hooks.sock');

$hooks->answer('/auth', 204);
$hooks->answer('/notify', 204);

# the sizes tell the zones apart in the map of a process
my %size = (hooks => 3, devices => 2);

sub stream {
    return <<"EOF";
    cira_path %%DIR%%/cira;
    cira_zone devices $size{devices}m;
    cira_hooks_zone $size{hooks}m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_notify http://unix:%%DIR%%/hooks.sock:/notify;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF
}

sub events {
    map { @{decode_json($_->[2])->{events}} }
        grep { $_->[1] eq '/notify' } $hooks->requests;
}

sub told {
    my ($type, $guid) = @_;
    return $t->wait_for(sub {
        grep { $_->{type} eq $type && $_->{guid} eq $guid } events();
    }, 10);
}

# Address of a shared zone of so many megabytes
sub zone {
    my ($pid, $mb) = @_;

    for (split /\n/, $t->read_file("/proc/$pid/maps")) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw-s .*zero/ or next;
        return hex $from if hex($to) - hex($from) == $mb << 20;
    }

    return;
}

# Locks a zone, its mutex being its first word, as a process that is gone.
sub lock_zone {
    my ($pid, $mb) = @_;
    my $at = zone($pid, $mb) // return;
    my $dead = fork // die "fork: $!";

    POSIX::_exit(0) if !$dead;
    waitpid $dead, 0;

    open my $mem, '+<', "/proc/$pid/mem" or return;
    my $end = time + 5;
    while (1) {
        sysseek $mem, $at, 0;
        sysread $mem, my $word, 8 or return;
        last if unpack('Q', $word) == 0;
        return if time > $end;
        sleep 0.01;
    }
    sysseek $mem, $at, 0;

    return syswrite($mem, pack 'Q', $dead) && $dead;
}

$t->certs;
$t->start(stream => stream());

my ($old) = $t->workers;
my $guid = '4c4c4544-0001-4d10-8051-0000000000';
my @d = map {
    my $d = AMT::Apf->connect($t->port('cira'));
    $d->login('admin', 'x', guid => "$guid$_") ? $d : ();
} qw(01 02 03);
is(@d, 3, 'devices');
ok(told('connected', "${guid}03"), 'are reported');

my $was = zone($old, 3);
unless ($was && open my $mem, '+<', "/proc/$old/mem") {
    note('no look into another process here: nothing more is tested');
    $_->close for @d;
    $t->done;
    exit;
}

%size = (hooks => 5, devices => 4);
$t->config(stream => stream());
ok($t->reload, 'a reload with other sizes');
ok(kill(0, $old), 'the old worker stays for its devices');

my ($new) = grep { $_ != $old } $t->workers;
ok(defined zone($new, 5) && !defined zone($new, 3), 'the new one has new zones');

my $dead = lock_zone($old, 3);
ok($dead, 'the old zone of the hooks is locked by a dead process');
(shift @d)->close;
ok(told('disconnected', "${guid}01"), 'events of the old worker come through');
like($t->log, qr/cira hooks zone was locked by $dead, which is gone/,
    'the log says why');

$dead = lock_zone($old, 2);
ok($dead, 'the old zone of the devices is locked by a dead process');
(shift @d)->close;
ok(told('disconnected', "${guid}02"), 'a device of the old worker ends');
like($t->log, qr/cira zone was locked by $dead, which is gone/,
    'the log says why');

my $n = AMT::Apf->connect($t->port('cira'));
ok($n->login('admin', 'x', guid => "${guid}04"), 'the new worker works');
$n->close;
ok(told('disconnected', "${guid}04"), 'and reports');

$dead = lock_zone($new, 5);
ok($dead, 'the new zone, too');
$n = AMT::Apf->connect($t->port('cira'));
ok($n->login('admin', 'x', guid => "${guid}05"), 'is unlocked again');
$n->close;

$_->close for @d;
$t->done;
