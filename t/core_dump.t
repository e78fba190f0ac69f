#!/usr/bin/perl

# Workers that have secrets in their memory leave no core file, and other
# processes of their user cannot look into it, unless amt_core_dump says so.

use strict;
use warnings;
use Test::More;
use AMT::Api;

my $root = $> == 0;
my $user = $root ? 'www-data' : undef;
my $t = AMT::Api::prepare(test => { $user ? (user => $user) : () });
my $vault = AMT::Vault->new($t->port('vault'));
my $rlimit = "worker_rlimit_core 500m;\nworking_directory %%DIR%%/core;\n";

mkdir "$t->{dir}/core";
if ($root) {
    chown((getpwnam $user)[2, 3], $_)
        for $t->dir, map { "$t->{dir}/$_" } qw(core store logs);
}

sub start {
    my (%o) = @_;
    my $http = $o{http} // AMT::Api::http(http => $o{more} // '');
    $t->start(main => ($o{main} // '') . $AMT::Api::main, http => $http,
        stream => AMT::Api::stream());
}

# May a process of the same user read its memory?  Root always may, but then
# the kernel has given the files of the process to root.
sub open_to_user {
    my ($pid) = $t->workers;
    return $root ? (stat "/proc/$pid/environ")[4] == (getpwnam $user)[2]
        : !!open my $f, '<', "/proc/$pid/environ";
}

sub crash {
    my ($pid) = $t->workers;
    $t->allow(qr/exited on signal 11/);
    kill 'SEGV', $pid;
    $t->wait_for(sub { my @w = $t->workers; @w && !grep { $_ == $pid } @w });
    return scalar(() = glob "$t->{dir}/core/*");
}

start(main => $rlimit);
ok(!open_to_user(), 'nobody looks into a worker');
SKIP: {
    skip 'sanitizers and valgrind catch the signal', 2
        if AMT::Test::variant();
    is(crash(), 0, 'a worker that crashes leaves no core file');
    ok(!open_to_user(), 'nor into the one after it');
}
like($t->log, qr/"worker_rlimit_core" has no effect.*"amt_core_dump on"/,
    'and a limit for core files is told to be useless');
is($t->get('/api/v1/version', key => $AMT::Api::key{admin})->{status}, 200,
    'it works');
$t->reload;
ok(!open_to_user(), 'nor after a reload');
$t->stop;

start();
ok(!open_to_user(), 'without a limit');
unlike($t->log, qr/worker_rlimit_core/, 'nothing is said');
$t->stop;

start(main => $rlimit, more => 'amt_core_dump on;');
ok(open_to_user(), 'amt_core_dump on: it can be debugged');

SKIP: {
    skip 'sanitizers and valgrind have their own idea', 1
        if AMT::Test::variant();
    skip 'core files go elsewhere', 1
        unless $t->read_file('/proc/sys/kernel/core_pattern') =~ /^core(\.|$)/;
    is(crash(), 1, 'and leaves a core file');
}
unlike($t->log, qr/has no effect/, 'nothing is said');
$t->stop;

# a server that has nothing of ours but the module is left alone
start(main => $rlimit, http => 'server { listen 127.0.0.1:%%PORT:http%%; }');
ok(open_to_user(), 'nothing configured, nothing changed');
$t->stop;

my $check = AMT::Api::prepare();
my ($ok, $text) = $check->check(main => $AMT::Api::main,
    http => AMT::Api::http(http => 'amt_core_dump maybe;'),
    stream => AMT::Api::stream());
ok(!$ok && $text =~ /invalid value "maybe"/, 'nginx -t') or diag $text;

$t->done;
