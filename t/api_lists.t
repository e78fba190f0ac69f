#!/usr/bin/perl
# REST: long lists of devices take a bounded amount of a worker's memory,
# however many clients ask for one and however slowly they read.

use strict;
use warnings;
use Test::More;
use AMT::Api;

my %key = %AMT::Api::key;
my $plain = AMT::Test::variant() eq '';
# what is not read stays in the worker, not in its sockets
my ($t) = AMT::Api::start(test => { workers => 1 },
    listen => '127.0.0.1:%%PORT:http%% sndbuf=64k');
my $api = '/api/v1/devices';
# under valgrind a list of 40 000 takes longer than a query may
my $n = AMT::Test::variant() eq 'valgrind' ? 12_000 : 40_000;

{
    open my $p, '|-', 'sqlite3', '-cmd', '.timeout 5000',
        "$t->{dir}/store/amt.db" or die "sqlite3: $!";
    print $p "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        . "WHERE i < $n) INSERT INTO devices (guid, hostname, tags, tenantid,"
        . " deviceinfo) SELECT printf('d0000000-0000-4000-8000-%012x', i),"
        . " 'same.example.com', '[\"a\",\"b\"]', '',"
        . " '{\"fwVersion\":\"16.1.25\",\"ipAddress\":\"10.0.0.1\"}' FROM n;\n";
    ok(close $p, 'devices');
}

sub get { "GET $api?$_[0] HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{admin}\r\n"
    . "Connection: close\r\n\r\n" }

# a client that asks and does not read, and what it gets when it does
sub ask { my $s = $t->socket('http'); $s->syswrite(get(@_)); return $s }
sub answer {
    my ($s) = @_;
    my $text = '';
    1 while sysread $s, $text, 1 << 20, length $text;
    my ($head, $body) = split /\r\n\r\n/, $text, 2;
    my ($status) = $head =~ m{^HTTP/1.1 (\d+)};
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    return ($status, $length == length $body ? $body : 'cut', $head);
}

sub highest {
    my ($k) = $t->read_file('/proc/' . ($t->workers)[0] . '/status')
        =~ /^VmHWM:\s+(\d+)/m;
    return $k / 1024;
}

# ---- one ----

my $before = highest();
my ($status, $body) = answer(ask('$top=100000000'));
is($status, 200, 'all of them');
is(scalar(() = $body =~ /"guid":/g), $n, 'complete');
my $size = length($body) / 1024 / 1024;
my $one = highest() - $before;
cmp_ok($one, '<', 3.5 * $size, "takes less than 3.5 times its size of "
    . int($size) . ' MB') or diag $one if $plain;

# ---- many, whose clients do not read ----

my @slow = map { ask('$top=100000') } 1 .. 12;
is($t->get("$api/stats", key => $key{admin})->{json}{totalCount}, $n,
    'others are served');
is(scalar @{$t->get("$api?\$top=1000", key => $key{admin})->{json}}, 1000,
    'so are lists that are not long');
my %seen;
$t->wait_for(sub { (() = $t->read_file('logs/access.log') =~ / 503 /g) >= 8 })
    if -e "$t->{dir}/logs/access.log";
my ($named) = answer(ask('hostname=same.example.com'));
is($named, 503, 'a long list by name counts, too');
for (@slow) {
    my ($status, $body, $head) = answer($_);
    my $what = $status == 200 && (() = $body =~ /"guid":/g) == $n ? '200 all'
        : $status == 503 && $head =~ /^Retry-After: \d+\r?$/m ? '503 later'
        : "$status?";
    $seen{$what}++;
}
is(join(', ', map { "$_: $seen{$_}" } sort keys %seen),
    '200 all: 4, 503 later: 8', 'four of them at once');
cmp_ok(highest() - $before, '<', 14 * $size, 'memory is bounded')
    or diag highest() if $plain;

# ---- and again ----

is((answer(ask('$top=100000')))[0], 200, 'then there is room again');
for (1 .. 6) {
    my $s = ask('$top=100000');
    close $s;                           # a client that leaves counts no more
}
ok($t->wait_for(sub { (answer(ask('$top=100000')))[0] == 200 }),
    'also after clients that left');
is((answer(ask('$top=100000&tags=none')))[0], 200, 'one that turns out short');

# ---- what is not paged, and too large ----

open my $p, '|-', 'sqlite3', '-cmd', '.timeout 5000', "$t->{dir}/store/amt.db"
    or die "sqlite3: $!";
print $p "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
    . " i < 40) INSERT INTO devices (guid, hostname, tenantid, deviceinfo)"
    . " SELECT printf('e0000000-0000-4000-8000-%012x', i), 'huge', '',"
    . " '{\"x\":\"' || hex(zeroblob(500000)) || '\"}' FROM n;\n";
ok(close $p, 'large rows');
($status, $body) = answer(ask('hostname=huge'));
is($status, 400, '40 MB are refused') or diag substr $body, 0, 100;

AMT::Test::done();
