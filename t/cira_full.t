#!/usr/bin/perl

# A worker without a free connection cannot ask cira_auth.  What was under way
# fails at once instead of hanging, and all is well again with the first
# connection that is free.

use strict;
use warnings;
use Test::More;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

my $slow = AMT::Test::slow();
my $t = AMT::Test->new;
my $sock = $t->dir . '/hooks.sock';
my ($one, $two) = map { "4c4c4544-0001-4d10-8051-00000000000$_" } 1, 2;

$AMT::Dial::patience = 60;

# a service that takes requests and does not answer
my $silent = IO::Socket::UNIX->new(Local => $sock, Listen => 16) or die;
$t->certs;
$t->start(events => 'worker_connections 48;', stream => <<'EOS');
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_auth_timeout 50s;
    cira_auth_retry 500ms;
    cira_login_timeout 60s;
    cira_login_sessions 0;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        ssl_handshake_timeout 60s;
        cira;
    }
EOS

my $events = $t->dir . '/events';
my @pids = AMT::Dial::echo($t->port('cira'), $events, $one);
my @asked = $silent->accept;
ok(@asked, 'a login is asked for');

my @idle;
for (1 .. 100) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->port('cira'), Proto => 'tcp') or last;
    push @idle, $s;
    last if $t->log =~ /48 worker_connections are not enough/;
    sleep 0.02;
}
ok($t->log_wait(qr/48 worker_connections are not enough/), 'no connection is free');

# the connections that were closed again are at the end
close shift @idle;
sleep 0.2 * $slow;
push @pids, AMT::Dial::echo($t->port('cira'), $events, $two);
ok($t->log_wait(qr/no free connection for an HTTP request/),
    'the next login cannot be asked for');

close $silent;
unlink $sock;
my $stub = AMT::Stub->new($sock);
$stub->answer('/auth', 204);
my $start = time;
shutdown $_, 2 for @idle;              # a child of ours has them, too
@idle = ();
ok($t->wait_for(sub { $t->read_file('events') =~ /^$one connected/m }),
    'the first one is in');
ok($t->wait_for(sub { $t->read_file('events') =~ /^$two connected/m }),
    'so is the second');
cmp_ok(time - $start, '<', 8 * $slow, 'without waiting for timeouts');

kill 'TERM', @pids;
waitpid $_, 0 for @pids;
$t->allow(qr/worker_connections are not enough/);
$t->done;
