#!/usr/bin/perl

# Runs every unit test of t/unit (built by "make unit" with sanitizers).

use strict;
use warnings;
use Test::More;

my $build = $ENV{AMT_BUILD} || 'build';
my @units = map { /([^\/]+)\.c$/ } sort glob 't/unit/*.c';

plan skip_all => 'no unit tests' unless @units;
plan skip_all => 'have a sanitizer of their own'
    if ($ENV{AMT_VARIANT} || '') eq 'valgrind';

$ENV{ASAN_OPTIONS} = 'detect_leaks=1:abort_on_error=0';
$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1:halt_on_error=1';

for my $name (@units) {
    my $out = qx{$build/unit/$name 2>&1};
    my $rc = $?;
    my $passed = () = $out =~ /^ok \d/mg;
    my ($planned) = $out =~ /^1\.\.(\d+)$/m;

    if (!ok($rc == 0 && $planned && $passed == $planned
            && $out !~ /Sanitizer|runtime error/, "$name ($passed)"))
    {
        diag(join "\n", grep { !/^ok / } split /\n/, $out);
    }
}

done_testing();
