#!/usr/bin/perl
# Clients that leave when their password has just been checked: the worker is
# held up in a write until the answer of the thread and the end of the client
# are both waiting for it.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Fcntl qw(O_RDWR O_NONBLOCK);
use POSIX ();
use Socket;
use Time::HiRes qw(sleep);

my $AT_ONCE = 8;
my $ROUNDS = 5;                          # more than 32 logins in all

my $t = AMT::Api::prepare(users => 'bob:'
    . crypt('right', '$6$rounds=100000$saltsalt') . ":T:all\n");
my $fifo = "$t->{dir}/logs/held";
POSIX::mkfifo($fifo, 0622) or die "$fifo: $!";
sysopen my $pipe, $fifo, O_RDWR|O_NONBLOCK or die "$fifo: $!";

$t->start(main => $AMT::Api::main,
    http => AMT::Api::http(http => 'amt_auth_failures off;',
        extra => "location = /hold { access_log $fifo; return 204; }"),
    stream => AMT::Api::stream());

my @http = (scheme => 'http', port => 'http');
my $body = '{"username":"bob","password":"right"}';
my $login = "POST /api/v1/authorize HTTP/1.1\r\nHost: h\r\n"
    . "Content-Type: application/json\r\n"
    . 'Content-Length: ' . length($body) . "\r\n\r\n$body";

sub login {
    return $t->request('POST', '/api/v1/authorize', @http,
        json => { username => 'bob', password => 'right' })->{status};
}

is(login(), 200, 'login');

for my $round (1 .. $ROUNDS) {
    # full: the next line of the log waits
    1 while syswrite $pipe, 'x' x 4096;

    my @s = map { my $s = $t->socket('http'); syswrite $s, $login; $s }
        1 .. $AT_ONCE;
    my $hold = $t->socket('http');
    syswrite $hold, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";
    sleep 1.5 * AMT::Test::pace();

    for my $s (@s) {
        setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        close $s;
    }
    sleep 0.1;

    my $junk;
    1 while sysread $pipe, $junk, 65536;
    sleep 0.1;
}

is(login(), 200, 'logins that nobody waits for do not add up');

AMT::Test::done();
