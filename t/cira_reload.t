#!/usr/bin/perl

# Reload and upgrade with devices connected and tunnels running: sessions
# stay with the exiting workers, are reached from new ones, and end spread.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Dial;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $slow = AMT::Test::slow();
my $t = AMT::Test->new(workers => 2);
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');

$stub->answer('/auth', 204);
$t->certs;

sub conf {
    my ($drain, $zone) = @_;

    return <<"EOS";
    cira_path %%DIR%%/cira;
    cira_zone devices $zone;
    cira_drain $drain;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;

    server {
        listen 127.0.0.1:%%PORT:cira%% ssl;
        ssl_certificate %%DIR%%/mps.crt;
        ssl_certificate_key %%DIR%%/mps.key;
        cira;
    }
    server {
        listen unix:%%DIR%%/cira.sock;
        cira_connect;
    }
EOS
}

$t->start(stream => conf('600s', '1m'));

my $sock = $t->dir . '/cira.sock';
my $file = $t->dir . '/devices';
my @guids = map { sprintf '4c4c4544-0001-4d10-8051-%012x', $_ } 1 .. 8;
my $echo = AMT::Dial::echo($t->port('cira'), $file, @guids);

END { kill 'TERM', $echo if $echo && $echo > 0 }

sub lines { my ($re) = @_; scalar grep { $_ =~ $re } split /\n/, $t->read_file($file) }

# Every device answers, whoever is asked
sub all_answer {
    my ($rounds) = @_;
    my $bad = 0;

    for (1 .. $rounds || 1) {
        for my $guid (@guids) {
            my $c = AMT::Dial->new($sock, $guid, 16992, -more => 'ping');
            $bad++ unless $c && ($c->status // '') eq 200 && $c->read(4) eq 'ping';
            $c->close if $c;
        }
    }

    return $bad == 0;
}

sub privates { my @found = glob $t->dir . '/cira/*.sock'; @found }

ok($t->wait_for(sub { lines(qr/connected/) == 8 }, 15), 'eight devices connect');
ok(all_answer(2), 'and answer');

# ---- reload --------------------------------------------------------------------

my $long = AMT::Dial->new($sock, $guids[0], 16992, -more => 'a');
is($long->status, 200, 'a tunnel that stays');
is($long->read(1), 'a', 'works');

ok($t->reload, 'reload');
is(lines(qr/disconnected|eof/), 0, 'no device is cut');
ok($long->send('b') && $long->read(1) eq 'b', 'nor the tunnel');
ok($t->wait_for(sub { privates() == 4 }), 'old and new private listeners');
ok(all_answer(2), 'new workers reach the devices of the old ones');

my @old = $t->workers(all => 1);
ok($t->reload, 'another reload') for 1 .. 2;
ok(all_answer(2), 'and another two');
is(lines(qr/disconnected|eof/), 0, 'still no device is cut');
my $new = AMT::Apf->connect($t->port('cira'));
my $extra = '4c4c4544-0001-4d10-8051-0000000000ee';
ok($new->login('admin', 'x', guid => $extra), 'a new device connects');

# ---- a changed zone is a new one --------------------------------------------------

$t->config(stream => conf('600s', '2m'));
ok($t->reload, 'a reload with another size of the zone');
ok(all_answer(2), 'all devices are found at once');
ok($t->wait_for(sub { $t->log =~ /importing devices of worker/ }), 'from the workers that have them');
sleep 1;
ok(all_answer(1), 'and then known');
is(lines(qr/disconnected|eof/), 0, 'no device is cut');

# one that comes again replaces the session that an old worker has
my $again = AMT::Apf->connect($t->port('cira'));
ok($again->login('admin', 'x', guid => $extra), 'the device connects again');
is(($new->expect(1, 8 * $slow) || {})->{reason}, 11, 'its session in another zone ends');
ok(!$again->expect(1, 0.3), 'the new one stays');

# a session that ends in an old worker is forgotten by the new zone
$again->close;
ok($t->wait_for(sub { ((AMT::Dial::ask($sock, "CONNECT $extra:16992 HTTP/1.1", 3))[0] // 0) == 404 }, 8),
    'and gone when it ends');

# ---- upgrade -------------------------------------------------------------------------

my $oldmaster = $t->upgrade;
ok($oldmaster, 'USR2: a new master');
ok(all_answer(3), 'old and new workers reach all devices');
sub told { my $n = () = $t->log =~ /gracefully shutting down/g; $n }
my $told = told();
kill 'WINCH', $oldmaster;
ok($t->wait_for(sub { told() >= $told + 2 }, 10), 'old workers are told to go');
ok(all_answer(3), 'new workers reach the devices of the old ones');
is(lines(qr/disconnected|eof/), 0, 'no device is cut');
ok($long->send('c') && $long->read(1) eq 'c', 'the tunnel still works');
kill 'QUIT', $oldmaster;
sleep 0.5;
ok(all_answer(1), 'nor when the old master has been told');
ok(!$long->{eof}, 'nor the tunnel');

# ---- drain ------------------------------------------------------------------------------

# all sessions are in old workers; theirs has 600 s, so end them the hard way
kill 'TERM', $oldmaster;
ok($t->wait_for(sub { lines(qr/eof|disconnected/) >= 8 && lines(qr/ connected/) >= 16 }, 20),
    'the old master goes, its devices come to the new workers');
is($long->eof, '', 'the tunnel ends');
ok(all_answer(2), 'all are back');
ok($t->wait_for(sub { privates() == 2 }, 10), 'the sockets of the old workers are gone');

$t->config(stream => conf('3s', '2m'));
$t->reload;
kill 'TERM', $echo;
waitpid $echo, 0;
sleep 0.5;
unlink $file;
$echo = AMT::Dial::echo($t->port('cira'), $file, @guids);
ok($t->wait_for(sub { lines(qr/ connected/) == 8 }, 15), 'devices of workers that drain in 3 s');
$long = AMT::Dial->new($sock, $guids[3], 16992, -more => 'a');
is($long->read(1), $long->status == 200 ? 'a' : 'x', 'with a tunnel') if $long->status;
my $half = AMT::Apf->connect($t->port('cira'));
$half->send(AMT::Apf::version($extra), AMT::Apf::service($AMT::Apf::AUTH));
ok($half->expect(6), 'and a login in progress');
my $start = time;
$t->signal('HUP');
sleep 0.3;
$half->send(AMT::Apf::userauth('admin', 'x'));
ok($half->expect(52), 'the login is finished in an exiting worker');
$half->send(AMT::Apf::service($AMT::Apf::PFWD), AMT::Apf::forward(16992));
my (@ended, $cut);
while (time - $start < 12 * $slow) {
    push @ended, time - $start while @ended < lines(qr/disconnected/);
    $long->fill(time + 0.01) unless $cut;
    $cut ||= time - $start if $long->{eof};
    last if @ended >= 8;
    sleep 0.02;
}
is(scalar @ended, 8, 'all sessions of the old workers end');
is(lines(qr/disconnected 11/), 8, 'with DISCONNECT 11');
is(lines(qr/^\S+ eof/), 0, 'and not by a bare end');
cmp_ok($ended[0], '>', 0.05, 'not the first at once');
cmp_ok($ended[4] - $ended[0], '>', 0.3, 'they are spread');
cmp_ok($ended[7], '<', 4.5 * $slow, 'all in time');
ok($cut && $cut >= $ended[5], 'the one with a tunnel goes last');
ok($t->wait_for(sub { lines(qr/ connected/) >= 16 }, 10), 'they come to the new workers');
ok(all_answer(2), 'and answer');
ok($t->wait_for(sub { $t->workers(all => 1) == 2 }, 10 * $slow), 'the old workers are gone');
$half->close;

# worker_shutdown_timeout is shorter: the drain is, too
$t->config(main => 'worker_shutdown_timeout 2s;', stream => conf('600s', '2m'));
$t->reload;
ok($t->wait_for(sub { lines(qr/ connected/) >= 24 }, 15 * $slow), 'devices of workers with a shutdown timeout');
my $before = lines(qr/disconnected 11/);
$t->reload;
ok($t->wait_for(sub { lines(qr/disconnected 11/) >= $before + 8 }, 6), 'are disconnected before it fires');
is(lines(qr/^\S+ eof/), 0, 'all of them in order');

kill 'TERM', $echo;
waitpid $echo, 0;
undef $echo;

$t->done;
