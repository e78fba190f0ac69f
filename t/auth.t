#!/usr/bin/perl

# Who may call: API keys, logins, tokens, scopes, tenants, audit log.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha512 sha256_hex);
use JSON::PP;
use MIME::Base64 qw(encode_base64 encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Test;

my $jwt_key = 'k' x 20 . '0123456789abcdef';
my $issuer = '9EmRJTbIiIb4bIeSsmgcWIjrR6HyETqc';
my %key = map { $_ => "key-of-$_-" . sha256_hex($_) } qw(root ops acme any none);
my $guid = '4c4c4544-0042-4a10-8057-b4c04f4e3132';

# bcrypt needs 4 ms here, so that a brute force attempt keeps threads busy
my %hash = (
    alice => crypt('correct horse', '$6$rounds=2000$saltsalt$'),
    bob => '$2y$04$ip18M7ZyFVbr/nQtE3LkNem0p8uWHKL79xHK/K/gY7Y.QfkpkN3Fe',
    carl => crypt('carls word', '$y$j75$saltsaltsaltsalt$'),
    dora => '$apr1$saltsalt$qYpLAVWkBvXFyDme7.oc1/',
    eve => '{SSHA}aXs9/t23eDYtAAx2mGCGS+v9xnxhYmNkZWZnaA==',
);

my $t = AMT::Test->new(workers => 2, user => 'www-data');
my $check = AMT::Test->new;

sub api_keys {
    my (%drop) = @_;
    my %line = (
        root => '::all',
        ops => '::read,power',
        acme => ':acme:all',
        any => ':*:all',
        none => '::',
    );

    $t->write_file('api_keys', join('', "# keys\n", map {
        my $l = $line{$_};
        $l =~ s/^:/sprintf ':%s:', sha256_hex($key{$_})/e;
        $drop{$_} ? () : "$_$l\n";
    } sort keys %line), 0600);
}

sub users {
    my (%change) = @_;
    my %h = (%hash, %change);

    $t->write_file('users', join('', map { defined $h{$_} ? "$_:$h{$_}:"
        . ($_ eq 'bob' ? 'acme' : $_ eq 'carl' ? '*' : '')
        . ($_ eq 'dora' ? ':read' : ':all') . "\n" : () } sort keys %h), 0600);
}

api_keys();
users();
$t->write_file('jwt.key', "$jwt_key\n", 0600);
mkdir "$t->{dir}/store";
chown((getpwnam 'www-data')[2, 3], "$t->{dir}/store", $t->dir) if $> == 0;
$t->certs;

my $auth = <<'EOF2';
    amt_api_keys %%DIR%%/api_keys;
    amt_users %%DIR%%/users;
    amt_jwt_key %%DIR%%/jwt.key;
EOF2

my %conf = (
    main => <<'EOF2',
thread_pool amt_read threads=4;
thread_pool amt_write threads=1;
thread_pool amt_auth threads=1 max_queue=4;
EOF2
    http => <<'EOF2',
    amt_store sqlite:%%DIR%%/store/amt.db;
    amt_vault /_vault/ secret;
    %%AUTH%%
    server {
        listen 127.0.0.1:%%PORT:http%%;
        listen 127.0.0.2:%%PORT:http%%;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Test-Address;
        include %%ROOT%%/conf/amt/api.conf;
    }
    server {
        listen unix:%%DIR%%/amt.sock;
        location /_vault/ { internal; return 404; }
    }
EOF2
);

# -t refuses to answer Vault's place by nginx itself, so take the keystore
$t->write_file('keystore.key', unpack('H*', 'x' x 32) . "\n", 0600);
$conf{http} =~ s/return 404;/amt_keystore %%DIR%%\/store\/keystore.db key=%%DIR%%\/keystore.key;/;

sub conf {
    my ($text, %o) = @_;
    my %c = %conf;

    $c{http} =~ s/%%AUTH%%/$text/;
    $c{http} =~ s/(include \S+api.conf;)/$o{server}$1/ if $o{server};

    return %c;
}

sub refused {
    my ($what, $re, $text, %o) = @_;
    my ($ok, $out) = $check->check(conf($text, %o));

    ok(!$ok && $out =~ $re, "nginx -t: $what") or diag $out;
}

my $list = '/api/v1/devices';
sub as { my ($k, %o) = @_; $t->get($list, key => $key{$k}, %o) }

# ---- nginx -t

$check->write_file('good', "# none\n", 0600);
$check->write_file('good.key', "$jwt_key\n", 0600);
$check->write_file('keystore.key', unpack('H*', 'x' x 32) . "\n", 0600);
mkdir "$check->{dir}/store";

refused('users without a key for tokens', qr/needs "amt_jwt_key"/,
    'amt_users good;');
refused('no such file', qr/nothing": open\(\) failed/, 'amt_api_keys nothing;');
$check->write_file('short.key', "0123456789\n", 0600);
refused('short token key', qr/at least 32 bytes/, 'amt_jwt_key short.key;');
$check->write_file('open.key', "$jwt_key\n", 0644);
refused('token key for all eyes', qr/too open/, 'amt_jwt_key open.key;');
$check->write_file('plain', "a:{PLAIN}secret::all\n", 0600);
refused('plain passwords', qr/line 1: \{PLAIN\}/,
    'amt_jwt_key good.key; amt_users plain;');
$check->write_file('costly', "a:" . $hash{bob} =~ s/\$04\$/\$15\$/r . "\n", 0600);
refused('costly hashes', qr/costs too much/,
    'amt_jwt_key good.key; amt_users costly;');
$check->write_file('bad_keys', "a:1234::all\n", 0600);
refused('bad keys', qr/line 1: not 64 hex/, 'amt_api_keys bad_keys;');
refused('bad limit', qr/number per time ban time/,
    'amt_auth_failures 5 in 1m;');
refused('bad tenant', qr/invalid tenant/, 'amt_tenant "a:b";');
refused('same twice', qr/duplicate/,
    'amt_api_keys good; amt_api_keys good;');
refused('audit log that cannot be opened', qr/nowhere/,
    'amt_audit_log /nowhere/audit.log;');
{
    my %c = conf('amt_jwt_key good.key; amt_users good;');
    $c{main} =~ s/thread_pool amt_auth.*//;
    my ($ok, $out) = $check->check(%c);
    ok(!$ok && $out =~ /unknown thread pool "amt_auth"/,
        'nginx -t: thread pool is not declared');
}

# ---- nothing configured, nothing allowed

$t->start(conf(''));
is($t->get($list)->{status}, 401, 'nothing configured: no key');
is(as('root')->{status}, 401, 'nothing configured: any key');
is($t->get($list, token => token())->{status}, 401,
    'nothing configured: any token');
is($t->post('/api/v1/authorize', json => { username => 'alice',
    password => 'correct horse' })->{status}, 405,
    'nothing configured: login is off');
$t->stop;

# ---- API keys

$t->start(conf("$auth amt_auth_failures 5 per 1m ban 2s;"
    . ' amt_audit_log %%DIR%%/logs/audit.log;',
    server => 'amt_tenant $http_x_tenant;'));

my $r = $t->get($list);
is($r->{status}, 401, 'no key');
is_deeply($r->{json}, { message => 'Unauthorized' }, 'with a JSON object');
is(as('root')->{status}, 200, 'right key');
is($t->get($list, headers => { 'X-MPS-API-Key' => $key{root} })->{status}, 200,
    'X-MPS-API-Key');
is($t->get($list, headers => { 'X-RPS-API-Key' => $key{root} })->{status}, 200,
    'X-RPS-API-Key');
is($t->get($list, token => $key{root})->{status}, 200, 'as a bearer');
is($t->get($list, headers => { Authorization => "bearer   $key{root}" })
    ->{status}, 200, 'in any letter case');

for ([ 'wrong key', { 'X-API-Key' => $key{root} . 'x' } ],
    [ 'cut key', { 'X-API-Key' => substr $key{root}, 0, -1 } ],
    [ 'digest instead of key', { 'X-API-Key' => sha256_hex($key{root}) } ],
    [ 'empty key', { 'X-API-Key' => '' } ],
    [ 'huge key', { 'X-API-Key' => 'x' x 3000 } ],
    [ 'name of a key', { 'X-API-Key' => 'root' } ],
    [ 'Basic', { Authorization => 'Basic ' . encode_base64("root:$key{root}",
        '') } ],
    [ 'a bad key before a good token', { 'X-API-Key' => 'x',
        Authorization => "Bearer $key{root}" } ],
    [ 'the same header twice', { 'X-API-Key' => [ $key{root}, $key{root} ] } ])
{
    my ($what, $headers) = @$_;
    $headers->{'X-Test-Address'} = '192.0.2.' . ++$main::address;
    is($t->get($list, headers => $headers)->{status}, 401, $what);
}

is($t->get("$list?X-API-Key=$key{root}&key=$key{root}")->{status}, 401,
    'a key in the query is none');

# ---- failures of one address

my @codes = map { $t->get($list, headers => { 'X-Test-Address' => '198.51.100.1',
    'X-API-Key' => "guess $_" })->{status} } 1 .. 7;
is("@codes", '401 401 401 401 401 429 429', 'guessing keys ends in 429');
is($t->get($list, headers => { 'X-Test-Address' => '198.51.100.1',
    'X-API-Key' => $key{root} })->{status}, 200,
    'a good key of that address still works');
is($t->get($list, headers => { 'X-Test-Address' => '198.51.100.2',
    'X-API-Key' => 'x' })->{status}, 401, 'other addresses are not concerned');

# ---- scopes

is(as('ops')->{status}, 200, 'scope read reads');
my $device = { guid => $guid, hostname => 'h', mpsusername => 'admin' };
is($t->post($list, json => $device, key => $key{ops})->{status}, 403,
    'scope read does not write');
is($t->post("/api/v1/amt/power/action/$guid", json => { action => 8 },
    key => $key{none})->{status}, 403, 'no scope, no power');
is(as('none')->{status}, 403, 'no scope, nothing');
isnt($t->get('/api/v1/amt/power/state/' . $guid, key => $key{ops})->{status},
    403, 'scope read reads the power state');

# ---- audit before effect

my $lines = sub { map { decode_json($_) }
    split /\n/, $t->read_file('logs/audit.log') };

is($t->post($list, json => $device, key => $key{root})->{status}, 201,
    'a device is made');
my ($line) = grep { ($_->{guid} // '') eq $guid } $lines->();
is($line->{who}, 'key:root', 'audit line: who');
is($line->{addr}, '127.0.0.1', 'audit line: address');
is($line->{tenant}, '', 'audit line: tenant');
like($line->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    'audit line: time');
unlike($t->read_file('logs/audit.log') . $t->log, qr/key-of-|correct horse/,
    'no key and no password in any log');

rename "$t->{dir}/logs/audit.log", "$t->{dir}/logs/audit.log.1";
$t->signal('USR1');
ok($t->wait_for(sub { -e "$t->{dir}/logs/audit.log" }), 'USR1 reopens it');
sleep 0.3;
is($t->delete("$list/$guid", key => $key{root})->{status}, 204, 'a delete');
my @l = $lines->();
ok(@l == 1 && $l[0]{guid} eq $guid, 'goes to the new file');

# ---- tenants

sub hosts {
    my ($r) = @_;
    return ref $r->{json} eq 'ARRAY'
        ? join(' ', sort map { $_->{hostname} } @{$r->{json}}) : $r->{status};
}

my %made = (d1 => [ root => {} ], d2 => [ acme => {} ],
    d3 => [ any => { 'X-Tenant' => 'other' } ]);
for my $name (sort keys %made) {
    my ($who, $headers) = @{$made{$name}};
    is($t->post($list, headers => { %$headers }, key => $key{$who}, json =>
        { guid => "4c4c4544-0042-4a10-8057-0000000000$name", hostname => $name,
          mpsusername => 'admin' })->{status}, 201, "$name of $who");
}

is(hosts(as('root')), 'd1', 'default tenant sees its device');
is(hosts(as('acme')), 'd2', 'tenant of the key');
is(hosts(as('acme', headers => { 'X-Tenant' => 'other' })), 'd2',
    'a header does not widen it');
is(hosts(as('root', headers => { 'X-Tenant' => 'other' })), 'd1',
    'nor the default tenant');
is(hosts(as('any', headers => { 'X-Tenant' => 'other' })), 'd3',
    'a key of any tenant takes the header');
is(hosts(as('any')), 'd1', 'or the default tenant');
is(as('any', headers => { 'X-Tenant' => 'a:b' })->{status}, 401,
    'an invalid tenant is refused');
is($t->get("$list/4c4c4544-0042-4a10-8057-0000000000d2?tenantId=acme",
    key => $key{root})->{status}, 204, 'tenantId of the query widens nothing');
is($t->get("$list/4c4c4544-0042-4a10-8057-0000000000d2?tenantId=acme",
    key => $key{any})->{status}, 200, 'but for a key of any tenant');

# ---- login

sub login {
    my ($user, $password, %o) = @_;
    return $t->post('/api/v1/authorize', json => { username => $user,
        password => $password }, %o);
}

sub claims {
    my ($token) = @_;
    my (undef, $p) = split /\./, $token;
    return MIME::Base64::decode_base64url($p);
}

my %pass = (alice => 'correct horse', bob => 'pass word', carl => 'carls word',
    dora => 'pass word', eve => 'pass word');
my %token;

for my $u (sort keys %pass) {
    $r = login($u, $pass{$u});
    is($r->{status}, 200, "login of $u");
    $token{$u} = $r->{json}{token};
}

is(login('ALICE', $pass{alice})->{status}, 200, 'user names ignore case');

my ($head) = split /\./, $token{alice};
is(MIME::Base64::decode_base64url($head), '{"alg":"HS256","typ":"JWT"}',
    'header of a token');
like(claims($token{alice}), qr/^\{"tenantId":"","iss":"$issuer","deviceId":"\*","exp":\d+,/,
    'claims in the order of the contract');
my $life = decode_json(claims($token{alice}))->{exp} - time;
ok($life > 86390 && $life < 86401, 'a day of life');

for ([ 'wrong password', 'alice', 'correct hors' ],
    [ 'longer password', 'alice', 'correct horse ' ],
    [ 'password of another', 'alice', 'pass word' ],
    [ 'hash as a password', 'alice', $hash{alice} ],
    [ 'unknown user', 'nobody', 'correct horse' ],
    [ 'a user name of 10 000 letters', 'x' x 10000, 'correct horse' ],
    [ 'a password of 10 000 letters', 'alice', 'correct horse' x 800 ],
    [ 'a user name with a colon', 'alice:', 'correct horse' ],
    [ 'a line end', "alice\n", 'correct horse' ])
{
    my ($what, $user, $password) = @$_;
    my $r = login($user, $password, headers => {
        'X-Test-Address' => '192.0.2.' . ++$main::address });
    is($r->{status}, 401, "login: $what");
    is_deeply($r->{json}, { message => 'Incorrect Username and/or Password!' },
        'with the message of the contract') if $what eq 'wrong password';
}

is($t->get($list, token => $token{alice})->{status}, 200, 'a token is let in');
is(hosts($t->get($list, token => $token{bob})), 'd2', 'tenant of the user');
is(hosts($t->get($list, token => $token{carl},
    headers => { 'X-Tenant' => 'other' })), 'd3', 'a user of any tenant');
is($t->post($list, json => $device, token => $token{dora})->{status}, 403,
    'scopes of the user');

# ---- tokens that must not pass; the key is known here, so forging is easy

sub cred {
    my ($kind, $name, $secret) = @_;
    return substr encode_base64url(hmac_sha256("amt cred $kind $name $secret",
        $jwt_key)), 0, 16;
}

sub token {
    my (%o) = @_;
    my %c = (tenantId => '', iss => $issuer, deviceId => '*',
        exp => int(time) + 60, sub => 'user:alice',
        cred => cred('user', 'alice', $hash{alice}), %{$o{claims} || {}});
    my $text = encode_base64url($o{header} || '{"alg":"HS256","typ":"JWT"}')
        . '.' . encode_base64url($o{payload} // JSON::PP->new->canonical
            ->encode({ map { defined $c{$_} ? ($_ => $c{$_}) : () } keys %c }));
    my $sign = $o{sign} || \&hmac_sha256;

    return "$text." . encode_base64url($sign->($text, $o{key} || $jwt_key));
}

my $none = '{"alg":"none","typ":"JWT"}';
is($t->get($list, token => token())->{status}, 200,
    'a token made here by hand is as good');

for ([ 'alg none, signed', token(header => $none) ],
    [ 'alg none, not signed', token(header => $none) =~ s/[^.]*$//r ],
    [ 'alg HS512', token(header => '{"alg":"HS512","typ":"JWT"}',
        sign => \&hmac_sha512) ],
    [ 'alg HS512 with HS256', token(header => '{"alg":"HS512","typ":"JWT"}') ],
    [ 'HS256 said, HS512 signed', token(sign => \&hmac_sha512) ],
    [ 'another key', token(key => $jwt_key . 'x') ],
    [ 'empty key', token(sign => sub { hmac_sha256($_[0], '') }) ],
    [ 'no signature', token() =~ s/[^.]*$//r ],
    [ 'cut signature', substr token(), 0, -2 ],
    [ 'cut payload', token() =~ s/..\.([^.]+)$/.$1/r ],
    [ 'another payload', do { my @a = split /\./, token(); my @b = split /\./,
        token(claims => { sub => 'user:carl' }); "$a[0].$b[1].$a[2]" } ],
    [ 'another issuer', token(claims => { iss => 'other' }) ],
    [ 'no subject', token(claims => { sub => undef }) ],
    [ 'unknown subject', token(claims => { sub => 'user:mallory' }) ],
    [ 'an API key as a user', token(claims => { sub => 'user:root',
        cred => cred('user', 'root', pack 'H*', sha256_hex($key{root})) }) ],
    [ 'cred of another user', token(claims => { sub => 'user:bob' }) ],
    [ 'cred but for its last letter', token(claims => { cred =>
        cred('user', 'alice', $hash{alice}) =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/er })
    ],
    [ 'no cred', token(claims => { cred => undef }) ],
    [ 'another tenant', token(claims => { tenantId => 'acme' }) ],
    [ 'no exp', token(claims => { exp => undef }) ],
    [ 'exp as a string', token(claims => { exp => int(time) + 60 . '' }) ],
    [ 'a token for one device', token(claims => { deviceId => $guid }) ],
    [ 'no JSON', token(payload => 'x') ],
    [ 'a part more', token() . '.x' ],
    [ 'two dots', '..' ])
{
    my ($what, $token) = @$_;
    my $r = $t->get($list, token => $token);
    is($r->{status}, 401, "token: $what");
    isnt($r->{body}, '{"exp":"token expired"}', 'is not called expired');
}

$r = $t->get($list, token => token(claims => { exp => int(time) - 1 }));
is($r->{status}, 401, 'token: expired');
is($r->{body}, '{"exp":"token expired"}', 'is called expired');
$r = $t->get($list, token => token(claims => { exp => 1 }, key => 'x' x 32));
is($r->{body}, '{"message":"Unauthorized"}',
    'expired and forged is just unauthorized');

$r = $t->get('/api/v1/authorize/redirection/4c4c4544-0042-4a10-8057-0000000000d1',
    key => $key{root});
is($r->{status}, 200, 'a redirection token');
is(decode_json(claims($r->{json}{token}))->{deviceId},
    '4c4c4544-0042-4a10-8057-0000000000d1', 'is bound to the device');
is($t->get($list, token => $r->{json}{token})->{status}, 401,
    'and opens nothing else');

# ---- files are read again without a reload

api_keys(ops => 1);
sub becomes {
    my ($code, $status, $what) = @_;
    ok($t->wait_for(sub { my $ok = 1; $code->() == $status or $ok = 0 for 1 .. 4;
        sleep 0.2 unless $ok; $ok }), $what);
}
becomes(sub { as('ops')->{status} }, 401, 'a removed key stops working');
is(as('root')->{status}, 200, 'the others go on');
api_keys();
becomes(sub { as('ops')->{status} }, 200, 'an added key works');
$t->write_file('api_keys', "root:123::all\n", 0600);
ok($t->wait_for(sub { as('root'); $t->log =~ /api_keys": line 1: not 64 hex/ }),
    'a broken file is reported');
is(as('ops')->{status}, 200, 'and what was read before stays');
unlink "$t->{dir}/api_keys";
sleep 1.2;
is(as('ops')->{status}, 200, 'also when it is gone');
api_keys();

users(alice => crypt('new word', '$6$rounds=2000$saltsalt$'));
becomes(sub { $t->get($list, token => $token{alice})->{status} }, 401,
    'a changed password ends the tokens of before');
is($t->get($list, token => $token{bob})->{status}, 200, 'others go on');
is(login('alice', 'new word')->{status}, 200, 'the new password works');
users(bob => undef);
becomes(sub { $t->get($list, token => $token{bob})->{status} }, 401,
    'a token of a deleted user stops working');
users();

# ---- guessing passwords

sleep 2;
@codes = map { my $r = login('alice', "guess $_", headers => {
    'X-Test-Address' => '198.51.100.7' }); $r->{status} . ($r->{status} == 503
    ? ($r->{headers}{'retry-after'} ? '+' : '-') : '') } 1 .. 7;
is("@codes", '401 401 401 401 401 503+ 503+',
    'guessing passwords ends in 503 with Retry-After');
is(login('alice', $pass{alice}, headers => { 'X-Test-Address' =>
    '198.51.100.7' })->{status}, 503, 'even the right one is not looked at');
is(login('alice', $pass{alice}, headers => { 'X-Test-Address' =>
    '198.51.100.8' })->{status}, 200, 'from another address it is');
is($t->get($list, headers => { 'X-Test-Address' => '198.51.100.7',
    'X-API-Key' => $key{root} })->{status}, 200,
    'API keys of the banned address work');
ok($t->wait_for(sub { sleep 0.5; login('alice', $pass{alice}, headers => {
    'X-Test-Address' => '198.51.100.7' })->{status} == 200 }),
    'the ban ends');
is($t->get($list, headers => { 'X-Test-Address' => '2001:db8:0:1::1',
    'X-API-Key' => 'x' })->{status}, 401, 'IPv6');

# ---- many guesses at once: bounded, and reads do not wait for them

my $rounds = AMT::Test::variant() eq 'valgrind' ? 10_000 : 200_000;
$hash{alice} = crypt('correct horse', "\$6\$rounds=$rounds\$saltsalt\$");
users();
becomes(sub { $t->get($list, token => $token{alice})->{status} }, 401,
    'a costly hash');

my @guess = map {
    my $s = $t->socket('http');
    my $body = '{"username":"alice","password":"guess"}';
    $s->syswrite("POST /api/v1/authorize HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        . "X-Test-Address: 203.0.113.$_\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
    $s;
} 1 .. 40;

my $start = time;
my $bad = grep { as('root')->{status} != 200 } 1 .. 50;
my $took = time - $start;
is($bad, 0, 'reads are answered while passwords are guessed');

my %seen;
for my $s (@guess) {
    my $answer = $t->exchange($s, '', 30);
    $seen{$1}++ if $answer =~ m{^HTTP/1.1 (\d+)};
    close $s;
}
is(($seen{401} || 0) + ($seen{503} || 0), 40, 'every guess is answered');
ok($seen{503}, 'those beyond the queue with 503')
    or diag explain \%seen;
note("50 reads took $took s, answers: ", explain \%seen);
is(login('alice', $pass{alice})->{status}, 200, 'and login works afterwards');

# a client that goes away in the middle leaves nothing behind
for (1 .. 20) {
    my $s = $t->socket('http');
    my $body = '{"username":"alice","password":"guess"}';
    $s->syswrite("POST /api/v1/authorize HTTP/1.1\r\nHost: x\r\n"
        . "X-Test-Address: 203.0.114.$_\r\nContent-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body");
    close $s;
}
becomes(sub { login('alice', $pass{alice})->{status} }, 200,
    'aborted logins leave no hole');

$t->allow(qr/thread pool "amt_auth" queue overflow/);
my $workers = () = $t->workers;
ok($t->reload, 'reload');
is(as('root')->{status}, 200, 'keys work after a reload');
ok($t->wait_for(sub { $workers == (() = $t->workers(all => 1)) }, 30),
    'old workers end when their passwords are checked');
$t->stop;

# ---- an audit log that cannot be written stops what would be in it

$t->start(conf("$auth amt_audit_log /dev/full; amt_jwt_issuer mine;"
    . ' amt_jwt_expiration 10m;'));
is($t->delete("$list/4c4c4544-0042-4a10-8057-0000000000d1",
    key => $key{root})->{status}, 503, 'no audit line, no effect');
is(hosts(as('root')), 'd1', 'nothing was deleted');
is(login('alice', $pass{alice})->{status}, 503, 'and no token is issued');
$t->stop;

$t->start(conf("$auth amt_jwt_issuer mine; amt_jwt_expiration 10m;",
    server => 'amt_tenant $http_x_id_token claim=tenant;'));
$r = login('alice', $pass{alice});
like(claims($r->{json}{token}), qr/"iss":"mine"/, 'issuer');
$life = decode_json(claims($r->{json}{token}))->{exp} - time;
ok($life > 580 && $life < 601, 'expiration');
is($t->get($list, token => token())->{status}, 401, 'the old issuer is foreign');

for ([ '{"tenant":"other"}', 'd3' ], [ '{"tenant":1}', 'd1' ], [ '{', 'd1' ],
    [ '{"x":"other"}', 'd1' ], [ '[]', 'd1' ],
    [ '{"tenant":"acme","tenant":"other"}', 'd1' ])
{
    is(hosts(as('any', headers => { 'X-Id-Token' =>
        encode_base64($_->[0], '') })), $_->[1], "tenant from claim $_->[0]");
}
is(hosts(as('acme', headers => { 'X-Id-Token' =>
    encode_base64('{"tenant":"other"}', '') })), 'd2',
    'not for a key with a tenant');

$t->done;
