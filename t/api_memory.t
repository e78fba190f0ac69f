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

# what is there right after an answer, before any other request
sub forgotten {
    my ($what, @names) = @_;
    my $end = time + 5 * AMT::Test::slow();
    my (%n, @left);

    do {
        sleep 0.05;
        @n{@names} = $t->in_memory($worker, @text{@names});
        @left = grep { $n{$_} } @names;
    } while (@left && time < $end);

    is("@left", '', "forgotten: $what");
}

my $guid = '143e4567-e89b-12d3-a456-426614174000';
my $r = $t->post('/api/v1/devices', key => $text{key}, json => {
    guid => $guid, mpsusername => 'mpsuser', mpspassword => $text{mps},
    amtpassword => $text{amt}, mebxpassword => $text{mebx} });
is($r->{status}, 201, 'a device with its secrets');
forgotten('a device', keys %text);

$r = $t->get("/api/v1/admin/devices/$guid/secrets", key => $text{key});
is($r->{status}, 200, 'which are shown');
is($r->{json}{amtpassword}, $text{amt}, 'as given');
forgotten('secrets', keys %text);

# bodies that are refused before, while and after they are parsed
for ([ 400, '{', 'syntax' ], [ 400, '{"guid":"x"}', 'value' ],
    [ 413, '{"x":"' . 'x' x 3_000_000 . '"}', 'size' ])
{
    my ($status, $body, $what) = @$_;
    substr $body, 1, 0, "\"amtpassword\":\"$text{amt}\""
        . (length $body > 1 ? ',' : '');
    is($t->post('/api/v1/devices', key => $text{key}, body => $body,
        headers => { 'Content-Type' => 'application/json' })->{status},
        $status, "refused: $what");
    forgotten("refused: $what", keys %text);
}

# in one packet with their headers, then one more request
for ([ 403, 'json', "X-API-Key: $AMT::Api::key{reader}", 0 ],
    [ 401, 'json', 'X-API-Key: none', 0 ], [ 403, 'json',
      "X-API-Key: $AMT::Api::key{reader}", 1 ],
    [ 400, 'text', "X-API-Key: $text{key}", 0 ])
{
    my ($status, $type, $key, $chunked) = @$_;
    my $body = "{\"amtpassword\":\"$text{amt}\"}";
    my $len = length $body;
    $body = sprintf "%x\r\n%s\r\n0\r\n\r\n", $len, $body if $chunked;
    my $s = $t->socket('http');
    $s->syswrite("POST /api/v1/devices HTTP/1.1\r\nHost: x\r\n$key\r\n"
        . "Content-Type: application/$type\r\n" . ($chunked
            ? 'Transfer-Encoding: chunked' : "Content-Length: $len")
        . "\r\n\r\n${body}GET /api/v1/version HTTP/1.1\r\nHost: x\r\n"
        . "X-API-Key: $AMT::Api::key{admin}\r\n\r\n");
    my ($in, $end) = ('', time + 5 * AMT::Test::slow());
    until ((() = $in =~ m{HTTP/1.1 \d}g) > 1 || time > $end) {
        $s->sysread($in, 4096, length $in) or last;
    }
    is_deeply([$in =~ m{HTTP/1.1 (\d+)}g], [$status, 200],
        "$status in one packet" . ($chunked ? ', chunked' : ''));
    forgotten("$status in one packet", keys %text);
}

# chunks that cannot be read: what follows is looked at by nobody
for ([ 'none', 0 ], [ $text{key}, 0 ], [ $text{key}, 1 ]) {
    my ($key, $later) = @$_;
    my $what = 'an invalid chunk' . ($key eq 'none' ? ', no key' : '')
        . ($later ? ', later' : '');
    my $s = $t->socket('http');
    my @out = ("POST /api/v1/devices HTTP/1.1\r\nHost: x\r\n"
            . "X-API-Key: $key\r\nContent-Type: application/json\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n",
        sprintf("%x\r\n%s\r\nx\r\n%s\r\n0\r\n\r\n", length $text{amt}, $text{amt},
            "{\"amtpassword\":\"$text{amt}\"}"));
    @out = join '', @out unless $later;
    for my $i (0 .. $#out) {
        sleep 0.1 if $i;
        $s->syswrite($out[$i]);
    }
    my $in = join '', <$s>;
    close $s;
    like($in, qr{^HTTP/1.1 400 }, $what);
    forgotten($what, keys %text);
}

$r = $t->post('/api/v1/authorize',
    json => { username => 'mia', password => "$text{login}?" });
is($r->{status}, 401, 'a login that fails');
forgotten('a login that fails', keys %text);

$r = $t->post('/api/v1/authorize',
    json => { username => 'mia', password => $text{login} });
is($r->{status}, 200, 'a login');
my $token = $r->{json}{token};
@text{'claims', 'signature'} = (substr($token, 60, 40), substr $token, -30);
forgotten('a login', keys %text);

is($t->get('/api/v1/devices', token => $token)->{status}, 200, 'its token');
forgotten('a token', keys %text);
is($t->get('/api/v1/devices', token => substr($token, 0, -3) . 'AAA')->{status},
    401, 'a token that is none');
forgotten('a token that is none', keys %text);
is($t->get('/api/v1/devices', key => "$text{key}?")->{status}, 401,
    'a key that is none');
forgotten('a key that is none', keys %text);

$text{end} = join '', 'the-', 'last-', 'of-all-', '4711';
is($t->get("/api/v1/version?x=$text{end}")->{status}, 401, 'the last one');
my ($end) = $t->in_memory($worker, $text{end});
ok($end, 'what is in memory is found');

$t->done;
