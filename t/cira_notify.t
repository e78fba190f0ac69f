#!/usr/bin/perl

# An exiting worker sends the events it has queued, and then goes, however
# many events the new worker has: those are not its to send.

use strict;
use warnings;
use POSIX ();
use Test::More;
use AMT::Apf;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $t = AMT::Test->new(workers => 1);
my $slow = AMT::Test::slow();
my $auth = AMT::Stub->new($t->dir . '/auth.sock');
my $notify = AMT::Stub->new($t->dir . '/notify.sock');

$auth->answer('/auth', 204);
$notify->answer('/notify', 204, '', delay => 0.3);
$t->certs;

$t->start(stream => <<'EOS');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_drain 0s;
    cira_auth http://unix:%%DIR%%/auth.sock:/auth;
    cira_notify http://unix:%%DIR%%/notify.sock:/notify;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOS

my ($old) = $t->workers;
my $guid = '4c4c4544-0001-4d10-8051-000000000001';
my $n = 1;

sub device {
    my $d = AMT::Apf->connect($t->port('cira')) or return;
    my $id = sprintf '4c4c4544-0001-4d10-8051-%012x', $_[0];
    return $d->login('admin', 'x', guid => $id) ? $d : undef;
}

sub told { my $re = shift; scalar grep { $_->[2] =~ $re } $notify->requests }

my $first = device($n++);
ok($first, 'a device of the old worker');
ok($t->wait_for(sub { told(qr/"connected"/) }), 'is told of');

# from now on there is always an event to tell
my $busy = fork // die "fork: $!";

if (!$busy) {
    while (getppid != 1) {
        my $d = device($n++) or next;
        $d->close;
    }
    POSIX::_exit(0);
}

END { kill 'KILL', $busy if $busy }

ok($t->wait_for(sub { told(qr/-00000000000[4-9]"/) }), 'others come and go');
ok($t->reload, 'reload');
ok($t->wait_for(sub { !kill 0, $old }, 4 * $slow),
   'the old worker goes although there are always events');

kill 'KILL', $busy;
waitpid $busy, 0;
undef $busy;

ok($t->wait_for(sub { told(qr/"disconnected","guid":"$guid"/) }, 10 * $slow),
   'the end of its device is told');

$t->done;
