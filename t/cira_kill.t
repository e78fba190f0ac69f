#!/usr/bin/perl

# Workers that die, sockets that are left, duplicates on two workers, and a
# zone that is full.

use strict;
use warnings;
use JSON::PP;
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
$stub->answer('/notify', 204);
$t->certs;

my $stream = <<'EOS';
    cira_path %%DIR%%/cira;
    cira_zone devices 64k;
    cira_keepalive 600s 900s;
    cira_duplicate 4 per 60s ban 3s;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_notify http://unix:%%DIR%%/hooks.sock:/notify;
    cira_login_sessions 1000;

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

sub privates { my @found = glob $t->dir . '/cira/*.sock'; @found }
sub pid_of { $_[0] =~ m{([0-9a-f]{8})\.sock$} && hex($1) & 0x3fffff }
sub guid { sprintf '4c4c4544-0001-4d10-8051-%012x', $_[0] }
sub events {
    my ($type, $guid) = @_;
    return grep { $_->{type} eq $type && (!$guid || $_->{guid} eq $guid) }
        map { @{decode_json($_->[2])->{events}} }
        grep { $_->[1] eq '/notify' } $stub->requests;
}
sub owner {
    my ($guid) = @_;
    for my $path (privates()) {
        my (undef, undef, $list) = AMT::Dial::ask($path, 'LIST * HTTP/1.1', 2);
        return $path if ($list // '') =~ /^$guid /m;
    }
    return;
}

# A device on the worker with this pid: no other can take it
sub device {
    my ($guid, $pid) = @_;
    my @others = grep { $_ != $pid } $t->workers;
    kill 'STOP', @others;
    my $d = AMT::Apf->connect($t->port('cira'));
    my $good = $d && $d->login('admin', 'x', guid => $guid);
    kill 'CONT', @others;
    return $good ? $d : undef;
}

# ---- what a kill has left does not stop a start --------------------------------------

mkdir $t->dir . '/cira', 0700;
my $stale = $t->dir . '/cira/00000000deadbeef.sock';
my $temporary = $t->dir . '/cira/00000000deadbeef.tmp';
my $foreign = $t->dir . '/cira/notes.txt';
IO::Socket::UNIX->new(Local => $stale, Listen => 1)->close;
IO::Socket::UNIX->new(Local => $temporary, Listen => 1)->close;
utime time - 3600, time - 3600, $temporary;
$t->write_file('cira/notes.txt', 'not ours');
ok(-e $stale, 'a socket of a dead worker');

$t->start(stream => $stream);
my $sock = $t->dir . '/cira.sock';
ok($t->wait_for(sub { privates() == 2 && !-e $stale }), 'is removed at the start');
ok(!-e $temporary, 'so is one of a start that failed');
ok(-e $foreign, 'files of others stay');

my ($one, $two) = map { pid_of($_) } privates();
ok((grep { $_ == $one } $t->workers) && (grep { $_ == $two } $t->workers),
    'a socket for each worker');

# ---- events of both ----

# who has sent a batch does not keep the others from theirs
for my $i (0x30 .. 0x33) {
    my $d = device(guid($i), $i % 2 ? $one : $two);
    my $start = time;
    ok($d && $t->wait_for(sub { events('connected', guid($i)) }, 6),
        'an event of ' . ($i % 2 ? 'one' : 'the other'));
    cmp_ok(time - $start, '<', 3 * $slow, 'at once');
    $d->close;
    $t->wait_for(sub { events('disconnected', guid($i)) }, 6);
}
my ($told, $over) = (scalar(events('connected')), scalar(events('disconnected')));

# ---- killed -----------------------------------------------------------------------

my %mine = map { $_ => device(guid($_), $one) } 1 .. 5;
my $other = device(guid(6), $two);
ok($other && 5 == grep({ $_ } values %mine), 'devices on both workers');
ok($t->wait_for(sub { events('connected') == $told + 6 }), 'six are reported as connected');
my $start = time;
ok($t->kill_worker($one), 'one worker is killed');
ok($t->wait_for(sub { events('disconnected') >= $over + 5 }, 6), 'its devices are reported');
cmp_ok(time - $start, '<', 7 * $slow, 'within seconds');
my @gone = events('disconnected');
my %gone = map { $_->{guid} => $_ } @gone[$over .. $#gone];
is_deeply([ sort keys %gone ], [ map { guid($_) } 1 .. 5 ], 'each of them, and no other');
my %came = map { $_->{guid} => $_ } events('connected');
is($gone{guid(3)}{generation}, $came{guid(3)}{generation}, 'with its generation');
is($gone{guid(3)}{reason}, 'worker died', 'and the reason');
is((AMT::Dial::ask($sock, 'CONNECT ' . guid(3) . ':16992 HTTP/1.1'))[0], 404, 'they are not found');
isnt((AMT::Dial::ask(owner(guid(6)), 'LOCATE ' . guid(6) . ' HTTP/1.1'))[0], 404, 'the other is');
$_->close for values %mine;

# all workers at once
($one, $two) = map { pid_of($_) } privates();
$t->allow(qr/exited on signal 9/);
kill 'KILL', $one, $two;
ok($t->wait_for(sub { (grep { $_->{guid} eq guid(6) } events('disconnected')) }, 8),
    'new workers report what all dead ones had');
ok($t->wait_for(sub { privates() == 2 && !grep { /$one|$two/ } map { pid_of($_) } privates() }),
    'and their sockets are removed');
$other->close;

# a socket that somebody removed
my ($path) = privates();
unlink $path;
ok($t->wait_for(sub { -e $path }, 12), 'a worker whose socket was removed makes it again');
($one, $two) = map { pid_of($_) } privates();
my $d = device(guid(7), $one);
ok($d, 'a device');
($path) = grep { pid_of($_) == $one } privates();
unlink $path;
my $c = AMT::Dial->new($sock, guid(7), 16992);
ok($t->wait_for(sub {
    my ($s) = AMT::Dial::ask($sock, 'CONNECT ' . guid(7) . ':16993 HTTP/1.1', 2);
    ($s // 0) == 502;
}, 15), 'whose session is registered again');
ok($t->wait_for(sub { events('connected', guid(7)) >= 2
    || !events('disconnected', guid(7)) }, 8), 'and told of, if it was told to be gone');
$c->close if $c;
$d->close;

# ---- duplicates ---------------------------------------------------------------------

my $dup = guid(0x20);
my $a = device($dup, $one);
my $b = device($dup, $two);
ok($a && $b, 'a device connects to another worker');
is(($a->expect(1) || {})->{reason}, 11, 'its session on the first is evicted');
ok(!$b->expect(1, 0.3), 'the second stays');
is(pid_of(owner($dup)), $two, 'and is the one');

# who does not know the password replaces nobody
$stub->answer('/auth', 401);
my $liar = AMT::Apf->connect($t->port('cira'));
$liar->send(AMT::Apf::version($dup), AMT::Apf::service($AMT::Apf::AUTH),
    AMT::Apf::userauth('admin', 'wrong'));
ok($liar->expect(51), 'a failed login of the same GUID');
ok(!$b->expect(1, 0.3), 'does not disturb the session');
$stub->answer('/auth', 204);

$a = device($dup, $one);    # replacements 2, 3, 4 ...
$b = device($dup, $two);
$a = device($dup, $one);
ok($a, 'replacements up to the limit');
$b = AMT::Apf->connect($t->port('cira'));
ok($b->login('admin', 'x', guid => $dup) ? 0 : 1, 'one more is refused');
is((grep { $_->{type} eq 1 } @{$b->{skipped}})[0]{reason}, 17, 'by policy');
is(($a->expect(1) || {})->{reason}, 17, 'and the other one is disconnected');
ok($t->wait_for(sub { events('quarantine', $dup) }), 'there is an event');
like((events('quarantine', $dup))[0]{reason}, qr/suspected duplicate: \S+ and \S+/, 'that names both');
like($t->log, qr/\[error\].*device $dup: suspected duplicate: 127\.0\.0\.1 and 127\.0\.0\.1/, 'so does the log');
$b = AMT::Apf->connect($t->port('cira'));
ok(!$b->login('admin', 'x', guid => $dup), 'the GUID stays out');
is((AMT::Dial::ask($sock, "CONNECT $dup:16992 HTTP/1.1"))[0], 404, 'and is not found');
sleep 3;
$b = AMT::Apf->connect($t->port('cira'));
ok($b->login('admin', 'x', guid => $dup), 'until the time is over');
$b->close;

# one that never comes again is forgotten, too, or the zone would not hold all
my $late = guid(0x21);
for (1 .. 3) {
    $a = device($late, $one);
    $b = device($late, $two);
}
ok($t->wait_for(sub { events('quarantine', $late) }), 'another one in quarantine');
ok($t->log_wait(qr/quarantine of 1 devices is over/, 12),
    'which ends by itself');

# ---- a zone that is full --------------------------------------------------------------

my ($capacity) = $t->log =~ /is new, it holds (\d+) devices/;
ok($capacity, 'the log tells how many devices fit');
my @all;
for my $i (1 .. $capacity) {
    my $d = AMT::Apf->connect($t->port('cira')) or last;
    $d->login('admin', 'x', guid => guid(0x1000 + $i)) or last;
    push @all, $d;
}
is(scalar @all, $capacity, "they do, $capacity");
my $more = AMT::Apf->connect($t->port('cira'));
ok(!$more->login('admin', 'x', guid => guid(0x9999)), 'one more does not');
is((grep { $_->{type} eq 1 } @{$more->{skipped}})[0]{reason}, 12, 'it is told that there are too many');
like($t->log, qr/cira zone is full, it holds $capacity devices, increase cira_zone/, 'and the log, too');
my $again = AMT::Apf->connect($t->port('cira'));
ok($again->login('admin', 'x', guid => guid(0x1001)), 'one that comes again replaces itself');
(shift @all)->close;
(shift @all)->close;
ok($t->wait_for(sub {
    my $d = AMT::Apf->connect($t->port('cira'));
    my $good = $d->login('admin', 'x', guid => guid(0x9999));
    push @all, $d;
    $good;
}), 'when one has gone there is room');

my ($total, %listed) = (0);
for my $path (privates()) {
    my $at = '*';
    for (1 .. 20) {
        my ($status, $headers, $list) = AMT::Dial::ask($path, "LIST $at HTTP/1.1");
        is($status, 200, 'LIST') if $status ne 200;
        $listed{$_}++ for $list =~ /^(\S+) /mg;
        $at = $headers->{'cira-next'} or last;
    }
}
cmp_ok(scalar keys %listed, '>=', $capacity - 1, 'LIST has them all, in pages');
is((grep { $_ != 1 } values %listed), 0, 'each once');
$_->close for @all;

$t->done;
