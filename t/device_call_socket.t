#!/usr/bin/perl

# Calls to devices once more, all of them through the owner's socket.

use strict;
use warnings;

$ENV{AMT_DIRECT} = 'off';

my $done = do './t/device_call.t';

die $@ || $! if !defined $done && ($@ || $!);
