#!/usr/bin/perl

# What the API was given, and what it gave, is not in the memory of its
# worker any more when the request is over.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use AMT::Api;

# the texts are put together here, so that they are written in no file
my %text = (
    amt => join('', 'Amt-', 'pass-', 'word-', '112233!'),
    mebx => join('', 'Meb-', 'pass-', 'word-', '778899!'),
    mps => join('', 'Mps-', 'pass-', 'word-', '445566!'),
    login => join('', 'login-', 'word-', '5544332211'),
    key => join('', 'api-', 'key-', 'of-', 'mem-', '90817263'),
);

local $AMT::Api::key{mem} = $text{key};
local $AMT::Api::grant{mem} = ':all';

my $t = AMT::Api::prepare(users =>
    'mia:' . crypt($text{login}, '$6$rounds=1000$saltsalt$') . "::all\n");
my $vault = AMT::Vault->new($t->port('vault'));
$t->start(main => $AMT::Api::main, http => AMT::Api::http(),
    stream => AMT::Api::stream());

my ($worker) = $t->workers;
plan skip_all => 'memory of a worker cannot be read'
    unless defined +($t->in_memory($worker, '4433-that-is-not-there'))[0];

my $guid = '143e4567-e89b-12d3-a456-426614174000';
my $r = $t->post('/api/v1/devices', key => $text{key}, json => {
    guid => $guid, mpsusername => 'mpsuser', mpspassword => $text{mps},
    amtpassword => $text{amt}, mebxpassword => $text{mebx} });
is($r->{status}, 201, 'a device with its secrets');

$r = $t->get("/api/v1/admin/devices/$guid/secrets", key => $text{key});
is($r->{status}, 200, 'which are shown');
is($r->{json}{amtpassword}, $text{amt}, 'as given');

$r = $t->post('/api/v1/authorize',
    json => { username => 'mia', password => $text{login} });
is($r->{status}, 200, 'a login');
my $token = $r->{json}{token};
is($t->get('/api/v1/devices', token => $token)->{status}, 200, 'its token');

$r = $t->post('/api/v1/authorize',
    json => { username => 'mia', password => "$text{login}?" });
is($r->{status}, 401, 'a login that fails');
is($t->get('/api/v1/devices', token => substr($token, 0, -3) . 'AAA')->{status},
    401, 'a token that is none');

# nginx's own buffers of connections are used for the next request
delete $t->{ua};
my $end = join '', 'the-', 'last-', 'of-all-', '4711';
for (1 .. 3) {
    is($t->get("/api/v1/version?x=$end", key => $AMT::Api::key{reader})
        ->{status}, 200, 'another request');
}

my @names = sort keys %text;
my %n;
@n{@names, 'claims', 'signature', 'end'} = $t->in_memory($worker,
    @text{@names}, substr($token, 60, 40), substr($token, -30), $end);

ok($n{end}, 'what is in memory is found');
is($n{$_}, 0, "not in memory: $_") for @names, 'claims', 'signature';

$t->done;
