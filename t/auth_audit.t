#!/usr/bin/perl

# amt_audit_log on a disk that is full for a while: calls are refused, and
# what was cut does not swallow a line of another worker, or of a later one.

use strict;
use warnings;
use JSON::PP;
use Test::More;
use AMT::Api;

my $root = $> == 0;
plan skip_all => 'a small tmpfs needs root' unless $root;

my %key = %AMT::Api::key;
my $t = AMT::Api::prepare(test => { workers => 2 });
my $vault = AMT::Vault->new($t->port('vault'));
my $disk = "$t->{dir}/disk";
my $log = "$disk/audit.log";

mkdir $disk;
system("mount -t tmpfs -o size=8k none $disk 2>/dev/null") == 0
    or plan skip_all => 'no tmpfs';
END { local $?; system "umount -l $disk 2>/dev/null" }

(my $http = AMT::Api::http()) =~ s{%%DIR%%/logs/audit.log}{$log};
$t->start(main => $AMT::Api::main, http => $http,
    stream => AMT::Api::stream());

my $n = 0;

sub write_device {
    my ($host) = @_;
    delete $t->{ua};                     # any worker
    return $t->post('/api/v1/devices', key => $key{admin}, json => {
        guid => sprintf('143e4567-e89b-12d3-a456-%012x', ++$n),
        hostname => $host })->{status};
}

sub fill {
    for (1 .. 200) { return 1 if write_device('x' x ($_ % 7)) == 503 }
    return 0;
}

sub last_line { (split /\n/, $t->read_file($log))[-1] // '' }

sub is_line {
    my ($name) = @_;
    my $line = eval { decode_json(last_line()) } || {};
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($line->{guid} // '', sprintf('143e4567-e89b-12d3-a456-%012x', $n), $name)
        or diag(last_line());
}

# Full, with a line that was cut; returns who wrote it
sub tear {
    my ($size) = @_;
    my $seen = () = $t->log =~ /audit log .* gave \d+, call is refused/g;

    # a page more each time, until a line is cut and not refused as a whole
    for (1 .. 20) {
        fill() or last;
        my @torn = $t->log =~ /\] (\d+)#\S+ \*\d+ audit log .* gave \d+, call/g;
        return $torn[-1] if @torn > $seen;
        system "mount -o remount,size=@{[$size += 4]}k $disk";
    }

    die 'no line was cut';
}

my $pid = tear(8);
ok($pid, 'a line was cut, its call refused');
unlike($t->read_file($log), qr/\n\z/, 'in the middle');

# the other worker is the next to write

$t->stop_workers($pid);
system "mount -o remount,size=256k $disk";
is(write_device('next'), 201, 'space again: the other worker writes');
kill 'CONT', $pid;
is_line('a line of its own');

# a worker that died has left it

system "mount -o remount,size=@{[4 * (1 + int((-s $log) / 4096))]}k $disk";
$pid = tear(4 * (1 + int((-s $log) / 4096)));
ok($t->kill_worker($_), 'workers die') for $t->workers;
system "mount -o remount,size=512k $disk";
is(write_device('after'), 201, 'their heirs write');
is_line('a line of its own');

my @bad = grep { !eval { decode_json($_) } } split /\n/, $t->read_file($log);
cmp_ok(scalar @bad, '<=', 2, 'no line is lost but the refused ones')
    or diag explain \@bad;

# moved away, and not yet opened again

rename $log, "$log.1";
is(write_device('moved'), 201, 'moved away');
my $guid = sprintf '%012x', $n;
like($t->read_file("$log.1"), qr/$guid".*\n\z/,
    'it goes where the file is now');

$t->stop;
system "umount $disk";
$t->done;
