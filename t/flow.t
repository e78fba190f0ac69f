#!/usr/bin/perl

# Flows and detached calls inside a real nginx: clients that leave, workers
# that exit, shutdown timeouts, many calls, and what amt_status tells.

use strict;
use warnings;
use Test::More;
use JSON::PP;
use Time::HiRes qw(sleep time);
use AMT::Stub;
use AMT::Test;

my $t = AMT::Test->new(nginx => AMT::Test::test_nginx(),
    log_level => 'notice', asan_options => 'quarantine_size_mb=4');
my ($vault, $slow) = map { $t->port($_) } qw(vault slow);
my $secret = '{"data":{"data":{"AMT_PASSWORD":"x"},"metadata":{"version":7}}}';

sub http {
    my (%o) = @_;
    my $at_start = $o{at_start} ? 'amt_test_at_start' : 'amt_test';
    my $upstream = $o{upstream} || 'fake';
    my $max = $o{max} || 64;

    return <<EOF;
    amt_vault /_vault/ secret timeout=20s max=$max;
    keepalive_timeout 0;
    upstream fake { server 127.0.0.1:%%PORT:fake%%; keepalive 4; }
    upstream slow { server 127.0.0.1:$slow; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT:http%%;
        location /run { $at_start; }
        location /status { amt_status; }
        location /text { amt_status text; }
        location ^~ /_vault/ {
            internal;
            proxy_pass http://$upstream/v1/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 20s;
            subrequest_output_buffer_size 256k;
        }
    }
    server {
        listen 127.0.0.1:%%PORT:fake%%;
        keepalive_requests 100000;
        location / { return 200 '$secret'; }
    }
EOF
}

my $main = 'thread_pool amt_read threads=2 max_queue=100;';

sub run { $t->get("/run?$_[0]")->{json} || {} }
sub status { $t->get('/status')->{json} }

# A client that sends the request and may go away.
sub client {
    my ($query) = @_;
    my $s = $t->socket('http') or die "connect: $!";

    print $s "GET /run?$query HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    $s->flush;

    return $s;
}

sub quiet {
    return $t->wait_for(sub {
        my $s = status() or return;
        !$s->{flows}{live} && !$s->{calls}{active} && !$s->{vault}{running};
    }, 30);
}

# Only new workers take requests.
sub reload {
    $t->config(@_) if @_;
    $t->reload;
    undef $t->{ua};
    $t->wait_for(sub { $t->workers == 1 });
}

my $stub = AMT::Stub->new($slow);
$stub->answer('*', 200, $secret, delay => 1);

$t->start(main => $main, http => http(at_start => 1));

ok($t->log_wait(qr/test: read ended without client: rc 0/),
    'a call from init_process') or diag($t->log);

# ---- status ------------------------------------------------------------------

my $s = status();
is($s->{flows}{live}, 0, 'no flows');
is($s->{calls}{started}, 1, 'one call so far');
is($s->{flows}{created}, 1, 'one flow so far');

my $c = client('op=sleep&ms=1500&n=2');
ok($t->wait_for(sub { status()->{flows}{live} == 1 }), 'a live flow');
my ($f) = @{status()->{list}};
is($f->{name}, 'test', 'its name');
like($f->{stack}, qr/^test_body:\d+$/, 'its stack');
is($f->{waiting_for}, 'timer', 'what it waits for');
like($t->get('/text')->{body},
    qr/^flows live=1 .*^test_body:\d+ waiting for timer \d\.\ds age \d\.\ds$/ms,
    'as text');
is($t->post('/status')->{status}, 405, 'only GET');
close $c;
ok(quiet(), 'the client left, the flow too');
is(status()->{flows}{cancelled}, 1, 'and is counted');

# ---- results of operations -----------------------------------------------------

is(run('op=read&path=devices/x&n=50')->{version}, 7, '50 calls in one flow');
is(run('op=thread&ms=20')->{rc}, 0, 'thread');
is(run('op=sleep&ms=20')->{rc}, 0, 'timer');
my $r = run('op=sleep&ms=5000&budget=200');
is($r->{err}, 3, 'budget used up');
like($r->{text}, qr/^not finished within 200 ms: test_body:\d+ waiting for/,
    'and where');
$t->allow(qr/AGAIN but nothing awaited in test_body:\d+/);
is(run('op=nothing')->{err}, 1, 'nothing awaited');
like($t->log, qr/\[alert\].*AGAIN but nothing awaited in test_body/, 'logged');

# ---- clients that leave ----------------------------------------------------------

my @gone = map { client('op=thread&ms=300') } 1 .. 10;
ok($t->wait_for(sub { status()->{flows}{tasks} == 10 }), 'ten tasks');
close $_ for @gone;
ok($t->wait_for(sub { status()->{flows}{live} == 0 }), 'flows end at once');
ok($t->wait_for(sub { status()->{flows}{tasks} == 0 }), 'tasks when they can');
is(status()->{flows}{orphans}, 0, 'no orphans left');
is(scalar(() = $t->log =~ /test: thread data dropped/g), 10, 'data dropped');

my @busy = map { client('op=thread&ms=500') } 1 .. 130;
my $full = grep { my $l = join '', <$_>; $l =~ /"err":13/ } @busy;
ok($full > 10, "a full queue is an error ($full)");
ok(quiet(), 'the rest is done');

reload(main => $main, http => http(upstream => 'slow'));

$c = client('op=read&path=devices/x');
ok($t->wait_for(sub { status()->{calls}{active} == 1 }), 'a call');
close $c;
ok($t->wait_for(sub { status()->{calls}{active} == 0 }, 1),
    'ends with its client');

$c = client('op=read&path=devices/x&detach=1');
$t->wait_for(sub { status()->{calls}{active} == 1 });
close $c;
ok($t->log_wait(qr/test: read ended without client: rc 0, err 0, $/m, 15),
    'a detached one is finished') or diag(substr $t->log, -600);

$c = client('op=read&path=devices/x&shield=1');
$t->wait_for(sub { status()->{calls}{active} == 1 });
close $c;
ok($t->log_wait(qr/shielded section ends, client gone: 1/, 15),
    'a shielded section finishes');
ok($t->log_wait(qr/test: read ended without client: rc -1, err 2, cancelled/, 15),
    'then it ends');

# in line for a place
reload(main => $main, http => http(upstream => 'slow', max => 2));
my @line = map { client('op=read&path=devices/x') } 1 .. 6;
ok($t->wait_for(sub { status()->{vault}{waiting} == 4 }), 'four wait in line');
is(status()->{calls}{active}, 2, 'two run');
close $line[0];
ok($t->wait_for(sub { status()->{vault}{waiting} == 3 }), 'one left, one came');
close $_ for @line;
ok(quiet(), 'all leave');

# ---- workers that exit -------------------------------------------------------------

# graceful: a flow with a budget is finished; longer than a reload takes
my $long = 500 + 500 * AMT::Test::slow();
my ($worker) = $t->workers;
$c = client("op=sleep&ms=$long&detach=1&budget=" . 9 * $long);
$t->wait_for(sub { status()->{flows}{live} == 1 });
close $c;
reload(main => $main, http => http());
ok($t->log_wait(qr/\b$worker\#.*\ gracefully\ shutting\ down$ (?s:.*)
    \b$worker\#.*\ test:\ sleep\ ended\ without\ client:\ rc\ 0/mx, 5),
    'an exiting worker finishes its flows') or diag(substr $t->log, -1000);
ok($t->wait_for(sub { !kill 0, $worker }), 'and exits');

# a thread's result comes after the reload
($worker) = $t->workers;
$c = client('op=thread&ms=600');
$t->wait_for(sub { status()->{flows}{tasks} == 1 });
reload();
like(join('', <$c>), qr/"rc":0/, 'a client gets its answer from the old worker');
ok($t->wait_for(sub { !kill 0, $worker }), 'which exits');

# calls alive when worker_shutdown_timeout closes all connections
reload(main => "$main worker_shutdown_timeout 500ms;",
    http => http(upstream => 'slow'));
($worker) = $t->workers;
my @calls = map { client("op=read&path=devices/x&detach=$_&shield=$_") } 0, 1;
$t->wait_for(sub { status()->{calls}{active} == 2 });
reload();
ok($t->wait_for(sub { !kill 0, $worker }, 10), 'shutdown timeout')
    or diag(substr $t->log, -1000);
close $_ for @calls;

# fast: everything is dropped
for my $op ('op=sleep&ms=5000', 'op=thread&ms=200', 'op=read&path=devices/x',
    'op=read&path=devices/x&shield=1&detach=1', 'op=thread&ms=100&detach=1')
{
    push @calls, map { client($op) } 1 .. 3;
}
$t->wait_for(sub { status()->{flows}{live} == 15 });
$t->stop('TERM');
pass('fast shutdown with live flows');
close $_ for @calls;
$stub->stop;

# ---- no connection left ------------------------------------------------------------------

$stub = AMT::Stub->new($slow);
$stub->answer('*', 200, $secret, delay => 1);
$t->allow(qr/worker_connections are not enough/);
$t->start(main => $main, http => http(upstream => 'slow'),
    events => 'worker_connections 52;');
my @sleepers = map { client('op=sleep&ms=9000') } 1 .. 28;
$t->wait_for(sub { status()->{flows}{live} == 28 });
my @many = map { client('op=read&path=devices/x&budget=3000') } 1 .. 10;
my @texts = map { join('', <$_>) =~ /"text":"(.*?)"/ ? $1 : () } @many;
my @none = grep { /no connection or memory|nginx answered itself/ } @texts;
cmp_ok(scalar @none, '>', 0, 'calls without a connection are errors')
    or diag(join "\n", @texts);
close $_ for @sleepers;
ok(quiet(), 'the others end');
is(run('op=sleep')->{rc}, 0, 'the worker goes on');
$t->stop;
$stub->stop;

# ---- leaks ---------------------------------------------------------------------------

$t->start(main => $main, http => http());
($worker) = $t->workers;

for (1 .. 3) { run('op=read&path=devices/x&n=1000') }
run('op=thread&ms=0&n=200');
my $before = $t->rss($worker);
for (1 .. 8) { run('op=read&path=devices/x&n=1000') }
run('op=thread&ms=0&n=400');
for (1 .. 100) {
    my @c = map { client("op=read&path=devices/x&n=20&shield=" . ($_ & 1)) }
        1 .. 5;
    sleep 0.002;
    close $_ for @c;
}
ok(quiet(), 'quiet');
# one call takes more than 16 KB while it runs; valgrind keeps 20 MB of what
# was freed, to find late uses
my $grown = $t->rss($worker) - $before;
my $kept = AMT::Test::variant() eq 'valgrind' ? 20 : 0;
cmp_ok($grown, '<', (24 + $kept) * 1024 * 1024,
    "memory is flat ($grown bytes)");

$s = status();
cmp_ok($s->{calls}{started}, '>', 11000, "$s->{calls}{started} calls");
my $conns = grep { /socket/ } map { readlink($_) // '' }
    glob "/proc/$worker/fd/*";
cmp_ok($conns, '<', 20, "no socket is left behind ($conns)");

$t->done;
