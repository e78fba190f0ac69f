#!/usr/bin/perl

# Workers that end while everything is under way: TLS handshakes, logins that
# the auth service has not decided, channels that are not confirmed, tunnels
# of this worker and through it, requests that are not complete.  Nothing is
# waited for longer than configured, nothing crashes, nobody is lied to.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $t = AMT::Test->new(workers => 2);
my $slow = AMT::Test::slow();
my $pace = AMT::Test::pace();
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');

$stub->answer('/auth', 204);
$stub->answer('/notify', 204);
$t->certs;

sub conf {
    my ($main) = @_;

    return (main => $main // '', stream => <<"EOF");
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_drain 600s;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_auth_timeout 60s;
    cira_notify http://unix:%%DIR%%/hooks.sock:/notify;
    cira_login_timeout 60s;
    cira_login_sessions 0;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        ssl_handshake_timeout ${\(2 * $pace)}s;
        cira;
    }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF
}

my $sock = $t->dir . '/cira.sock';
my $n = 0;
sub guid { sprintf '4c4c4544-0001-4d10-8051-%012x', $_[0] }
sub half { AMT::Apf::version(guid($_[0])) . AMT::Apf::service($AMT::Apf::AUTH) }

# All kinds of unfinished things, several of each, so that both workers have
# some and some go from one to the other
sub busy {
    my %b;

    for my $i (1 .. 3) {
        my $s = $t->socket('cira');
        syswrite $s, "\x16\x03\x01" if $i > 1;
        push @{$b{handshake}}, $s;

        my $d = AMT::Apf->connect($t->port('cira'));
        $d->send(half(++$n));
        $d->expect(6);
        push @{$b{login}}, $d;
    }

    for my $i (1 .. 4) {
        my $d = AMT::Apf->connect($t->port('cira'));
        $d->login('admin', 'x', guid => guid(++$n), ports => [ 16992, 16994 ])
            or return;
        push @{$b{device}}, $d;

        for (1, 2) {
            my $c = AMT::Dial->new($sock, guid($n), 16994);
            my $m = $d->expect(90) or return;
            $d->send(AMT::Apf::confirm($m->{channel}, $m->{channel}, 1 << 20));
            $c->status eq '200' or return;
            $d->send(AMT::Apf::data($m->{channel}, 'x' x 60_000));
            push @{$b{tunnel}}, $c;
            push @{$b{channel}}, $m->{channel};
        }
        push @{$b{dial}}, [ undef, $d, guid($n) ];
    }
    push @{$b{verify}}, AMT::Apf->connect($t->port('cira')) for 1 .. 3;

    # what has a time limit that is not configured: as late as possible
    $stub->answer('/auth', 204, '', delay => 0.7 * $pace);
    $b{since} = time;

    for (@{$b{dial}}) {
        my ($c, $d, $guid) = @$_;
        $c = AMT::Dial->new($sock, $guid, 16992);
        my $m = $d->expect(90) or return;
        $_ = [ $c, $d, $m->{channel} ];
    }
    for (@{$b{verify}}) {
        $_->send(half(++$n), AMT::Apf::userauth('admin', 'x'),
            AMT::Apf::service($AMT::Apf::PFWD));
        push @{$b{head}}, AMT::Dial->raw($sock, 'CONNECT ' . guid(0xfff));
    }

    return \%b;
}

# Where a sanitizer or valgrind watches a reload may take longer than the limit
sub within {
    my ($b, $limit, $status) = @_;
    return time - $b->{since} < $limit - 1 ? qr/^$status$/
        : qr/^(?:$status|400|504)$/;
}

# ---- graceful, with time ------------------------------------------------------------

$t->start(conf());
my $b = busy();
ok($b, 'all kinds of things are under way') or BAIL_OUT('no devices');
ok($t->reload, 'a reload');

for (@{$b->{head}}) {
    $_->send(":16992 HTTP/1.1\r\n\r\n");
    like($_->status, within($b, 5, 404), 'a request is read to its end');
}
for (@{$b->{dial}}) {
    my ($c, $d, $channel) = @$_;
    my $want = within($b, 10, 200);
    is($c->status(0.01), undef, 'a dialer waits')
        if time - $b->{since} < 9;
    $d->send(AMT::Apf::confirm($channel, 77, 100));
    like($c->status, $want, 'and gets its channel');
}
ok($_->expect(52, 30 * $slow), 'a login that was asked for is decided')
    for @{$b->{verify}};
ok($_->expect(6, 10 * $slow), 'and what was pipelined is answered')
    for @{$b->{verify}};
$stub->answer('/auth', 204);
for (@{$b->{login}}) {
    $_->send(AMT::Apf::userauth('admin', 'x'));
    ok($_->expect(52, 10 * $slow), 'a login in progress is finished');
}
is(length $_->read(60_000, 10 * $slow), 60_000, 'a tunnel has lost nothing')
    for @{$b->{tunnel}};
is((AMT::Dial::ask($sock, 'CONNECT ' . guid($n) . ':16992 HTTP/1.1', 0.5))[0], undef,
    'new workers find who logged in in an old one');

# ---- the shutdown timeout -------------------------------------------------------------

$t->config(conf("worker_shutdown_timeout ${pace}s;"));
ok($t->reload, 'workers with a shutdown timeout');
ok($t->wait_for(sub { $t->workers(all => 1) >= 2 }), 'are there');
my $c = busy();
ok($c, 'with all kinds of things');
my $start = time;
my %old = map { $_ => 1 } $t->workers;
ok($t->reload, 'another reload');
$stub->answer('/auth', 204);
ok($t->wait_for(sub { !grep { $old{$_} } $t->workers(all => 1) }, 15),
    'the old workers end');
cmp_ok(time - $start, '<', 8 * $pace * $slow, 'in time');
ok(defined $_->eof(5), 'a tunnel is closed') for @{$c->{tunnel}};
ok($_->expect(1, 5 * $slow), 'a device is told') for @{$c->{device}};
ok(($_->[0]->status(5) // '') ne '200', 'a dialer gets no channel') for @{$c->{dial}};

# ---- without grace -----------------------------------------------------------------------

$c = busy();
ok($c, 'once more');
$stub->answer('/auth', 204);
$t->stop('TERM');
ok(defined $_->eof(5), 'a tunnel is closed') for @{$c->{tunnel}};
my $told = grep { ($_->expect(1, 5 * $slow) // {})->{reason} } @{$c->{device}};
is($told, 4, 'devices are told even then');
is(join(' ', glob $t->dir . '/cira/*'), '', 'no private socket is left');

# ---- one process ---------------------------------------------------------------------------

SKIP: {
    skip 'as a daemon only', 4 if AMT::Test::variant() eq 'valgrind';
    $t->{workers} = 0;
    $t->config(conf('master_process off;') );
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        $ENV{ASAN_OPTIONS} = 'detect_leaks=0:log_path=' . $t->dir . '/logs/asan';
        exec $t->command('-g', 'daemon off;') or POSIX::_exit(1);
    }
    ok($t->wait_for(sub { my @s = glob $t->dir . '/cira/*.sock'; @s == 1 }, 10),
        'a single process has a private listener');
    my $d = AMT::Apf->connect($t->port('cira'));
    ok($d && $d->login('admin', 'x', guid => guid(0x999)), 'takes a device');
    my $c = AMT::Dial->new($sock, guid(0x999), 16992);
    my $m = $d->expect(90);
    $d->send(AMT::Apf::confirm($m->{channel}, 1, 100)) if $m;
    is($c->status, 200, 'and opens channels');
    kill 'QUIT', $pid;
    ok($t->wait_for(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 10)
        || (kill('TERM', $pid) && 0), 'and ends');
    kill 'KILL', $pid;
}

$t->done;
