#!/usr/bin/perl

# amt_auth_failures: guesses in parallel, over unix sockets, by key=.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use IO::Select;

# slow enough that all guesses are there before the first one is checked
my $rounds = AMT::Test::variant() eq 'valgrind' ? 5000 : 150_000;
my $main = $AMT::Api::main =~ s/max_queue=8/max_queue=64/r;

my $t = AMT::Api::prepare(test => { workers => 2 }, users => 'bob:'
    . crypt('right', "\$6\$rounds=$rounds\$saltsalt") . "::all\n");

sub start {
    my ($failures, %o) = @_;

    $t->start(main => $main, stream => AMT::Api::stream(),
        http => AMT::Api::http(http => "amt_auth_failures $failures;"
            . ' set_real_ip_from 127.0.0.1; set_real_ip_from unix:;'
            . ' real_ip_header X-Test-Address;',
            extra => 'listen unix:%%DIR%%/http.sock;', %o));
}

sub send_login {
    my ($to, $password, %headers) = @_;
    my $s = $t->socket($to) or die "$to: $!";
    my $body = qq({"username":"bob","password":"$password"});

    $s->syswrite("POST /api/v1/authorize HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nContent-Type: application/json\r\n"
        . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    return $s;
}

# Until they have come and a worker has read them, or there is an answer: then
# the guess is made, whatever comes after it
sub taken {
    for my $s (@_) {
        my $port = sprintf '%04X', $s->sockport;
        $t->wait_for(sub {
            return 1 if IO::Select->new($s)->can_read(0);
            my $tcp = $t->read_file('/proc/net/tcp');
            $tcp =~ /^ *\d+: \w+:$port \S+ 01 0+:/m
                && $tcp =~ /^ *\d+: \S+ \w+:$port 01 \w+:0+ /m
        });
    }
}

sub answer {
    my ($s) = @_;
    return $t->exchange($s, '', 30) =~ m{^HTTP/1.1 (\d+)} ? $1 : 'none';
}

sub login { answer(send_login(@_)) }

# How many of N at once were answered with what
sub at_once {
    my ($n, @args) = @_;
    my %seen;

    $seen{answer($_)}++ for map { send_login(@args) } 1 .. $n;

    return join ' ', map { "$_:$seen{$_}" } sort keys %seen;
}

# ---- what can be configured

my $check = AMT::Api::prepare();
for (['5 per 1m ban 1m key', qr/number per time ban time/],
    ['5 per 1m ban 1m key=', qr/number per time ban time/],
    ['5 per 1m ban 1m key=$nothing', qr/unknown "nothing" variable/],
    ['5 per 1m ban 1m key=a key=b', qr/number per time ban time/])
{
    my ($text, $re) = @$_;
    my ($ok, $out) = $check->check(main => $main, stream => AMT::Api::stream(),
        http => AMT::Api::http(http => "amt_auth_failures $text;"));
    ok(!$ok && $out =~ $re, "nginx -t: $text") or diag $out;
}

# ---- by address

start('4 per 1m ban 1m');

is(at_once(4, 'http', 'right'), '200:4', 'right passwords at once');
is(at_once(4, 'http', 'right'), '200:4', 'are given back');
is(at_once(16, 'http', 'wrong'), '401:4 503:12',
    'guesses at once are as few as one after the other');
is(login('http', 'right'), 503, 'and then the address is banned');
like($t->log, qr/login refused: too many failures/, 'which is logged');
is(login('http', 'right', 'X-Test-Address' => '192.0.2.1'), 200,
    'another one is not');

my @gone = map { send_login('http', 'wrong', 'X-Test-Address' => '192.0.2.2') }
    1 .. 4;
taken(@gone);
close $_ for @gone;
ok($t->wait_for(sub { login('http', 'right',
    'X-Test-Address' => '192.0.2.2') == 503 }), 'who leaves has guessed, too');

# ---- IPv6: who has one address has 2^64 of them

is(at_once(8, 'http', 'wrong', 'X-Test-Address' => '2001:db8:1:2::1'),
    '401:4 503:4', 'IPv6: an address');
is(login('http', 'right', 'X-Test-Address' => '2001:db8:1:2:ffff::9'), 503,
    'its network is banned');
is(login('http', 'right', 'X-Test-Address' => '2001:db8:1:3::1'), 200,
    'the next one is not');
is(login('http', 'right', 'X-Test-Address' => '::ffff:192.0.2.3'), 200,
    'IPv4 in IPv6');
is(login('http', 'right', 'X-Test-Address' => '::ffff:192.0.2.2'), 503,
    'is told apart by all of the address');

# ---- a unix socket: what the proxy behind it says, else all are one

my $unix = "unix:$t->{dir}/http.sock";

is(at_once(8, $unix, 'wrong', 'X-Test-Address' => '198.51.100.1'),
    '401:4 503:4', 'unix socket: an address');
is(login($unix, 'right', 'X-Test-Address' => '198.51.100.1'), 503,
    'is banned');
is(login('http', 'right', 'X-Test-Address' => '198.51.100.1'), 503,
    'wherever it comes from');
is(login($unix, 'right', 'X-Test-Address' => '198.51.100.2'), 200,
    'unix socket: another one is not');
is(login($unix, 'right'), 200, 'nor one without an address');
is(at_once(8, $unix, 'wrong'), '401:4 503:4',
    'those without an address count as one');
is(login($unix, 'right', 'X-Test-Address' => '198.51.100.3'), 200,
    'and are no other');

# ---- a guess that a worker took into its grave

is(login('http', 'right', 'X-Test-Address' => '203.0.113.1'), 200, 'login');
$t->stop;
start('4 per 2s ban 1s');
my @s = map { send_login('http', 'wrong') } 1 .. 4;
taken(@s);
$t->kill_worker($_) for $t->workers;
ok($t->wait_for(sub { login('http', 'right') == 200 }),
    'is forgotten with its period');
$t->stop;

# ---- by a value

start('4 per 1m ban 1m key=$http_x_site');
is(at_once(8, 'http', 'wrong', 'X-Site' => 'a'), '401:4 503:4', 'a value');
is(login('http', 'right', 'X-Site' => 'a', 'X-Test-Address' => '192.0.2.7'),
    503, 'whatever the address');
is(login('http', 'right', 'X-Site' => 'b'), 200, 'another value');
is(login('http', 'right', 'X-Site' => 'a' x 2000), 200, 'a long one');
is(login('http', 'right'), 200, 'none');
is(at_once(8, 'http', 'wrong'), '401:4 503:4', 'is the address');
is(login('http', 'right'), 503, 'which is banned');
is(login('http', 'right', 'X-Test-Address' => '192.0.2.8'), 200,
    'and no other');

my @codes = map { $t->get('/api/v1/devices', scheme => 'http', port => 'http',
    key => "guess $_", headers => { 'X-Site' => 'c' })->{status} } 1 .. 6;
is("@codes", '401 401 401 401 429 429', 'API keys are counted in the same way');

my $r = $t->get('/api/v1/devices', scheme => 'http', port => 'http',
    key => 'guess', headers => { 'X-Site' => 'c' });
ok(($r->{headers}{'retry-after'} // 0) > 20
    && $r->{headers}{'retry-after'} <= 60, 'and the answer says how long')
    or diag explain $r->{headers};

AMT::Test::done();
