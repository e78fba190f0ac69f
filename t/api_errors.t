#!/usr/bin/perl
# REST: routing, authentication, scopes, bodies, validation - what is refused
# and how.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Compress::Zlib;
use IO::Select;
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my ($t, $vault) = AMT::Api::start();

my $api = '/api/v1';
my $guid = '143e4567-e89b-12d3-a456-426614174000';
my %json = ('Content-Type' => 'application/json');

sub as { (key => $key{$_[0]}) }

sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub bad { '{"error":"Incorrect URI or Bad Request"'
    . (defined $_[0] ? ",\"errorDescription\":\"$_[0]\"" : '') . '}' }

sub page {
    my ($text) = @_;
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
        . "<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n<body>\n"
        . "<pre>$text</pre>\n</body>\n</html>\n";
}

# raw bytes, for what a client library would not send
sub raw {
    my ($bytes, $seconds) = @_;
    return $t->exchange($t->socket('http'), $bytes, $seconds || 5);
}

# ---- authentication ----

my $none = '{"message":"Unauthorized"}';
is_answer($t->get("$api/devices"), 401, $none, 'no credentials');
is_answer($t->get("$api/devices", as('none')), 401, $none, 'unknown key');
is_answer($t->get("$api/devices", token => 'a.b.c'), 401, $none, 'bad token');
is_answer($t->get("$api/nothing"), 401, $none, 'routes are not told either');
is_answer($t->post("$api/devices", headers => \%json, body => '{'), 401, $none,
    'nor are bodies read');
my $r = $t->get("$api/devices");
is($r->{headers}{'access-control-allow-origin'}, '*', '401 with CORS header');
is($t->get("$api/version", as('redirection'))->{status}, 200, 'any key');
is_answer($t->get("$api/version", as('redirection')), 200,
    '{"serviceVersion":"2.34.1"}', 'version');

# the table of routes with a scope that is not enough
for my $c (
    [GET => '/devices', 'redirection'], [GET => '/devices/stats', 'redirection'],
    [GET => '/devices/tags', 'redirection'],
    [GET => "/devices/$guid", 'redirection'], [POST => '/devices', 'reader'],
    [PATCH => '/devices', 'power'], [DELETE => "/devices/$guid", 'reader'],
    [DELETE => "/devices/refresh/$guid", 'power'],
    [GET => "/authorize/redirection/$guid", 'reader'],
    [GET => '/ciracert', 'redirection'],
    [GET => "/amt/generalSettings/$guid", 'redirection'],
    [GET => "/amt/version/$guid", 'redirection'],
    [GET => "/amt/power/state/$guid", 'redirection'],
    [GET => "/amt/power/capabilities/$guid", 'redirection'],
    [POST => "/amt/power/action/$guid", 'reader'],
    [POST => "/amt/power/action/$guid", 'devices'])
{
    is_answer($t->request($c->[0], "$api$c->[1]", as($c->[2]), json => {}),
        403, '{"error":"Forbidden","errorDescription":'
        . '"Scope does not allow this request"}', "$c->[2]: $c->[0] $c->[1]");
}

# ---- routing ----

is_answer($t->get("$api/nothing", as('reader')), 404,
    page("Cannot GET $api/nothing"), 'unknown route');
$r = $t->get("$api/nothing", as('reader'));
is($r->{headers}{'content-type'}, 'text/html; charset=utf-8', 'HTML');
is($r->{headers}{'content-security-policy'}, "default-src 'none'", 'CSP');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
is_answer($t->get("$api/x%3Cscript%3E'\"&?q=<b>", as('reader')), 404,
    page("Cannot GET $api/x%3Cscript%3E&#39;&quot;&amp;"), 'escaped');
is_answer($t->request('PUT', "$api/devices", as('admin')), 404,
    page("Cannot PUT $api/devices"), 'never 405');
is($t->request('COPY', "$api/devices", as('admin'))->{status}, 404, 'COPY');
is($t->request('FROB', "$api/devices", as('admin'))->{status}, 400, 'FROB');
is($t->delete("$api/devices", as('admin'))->{status}, 404, 'no GUID');
is_answer($t->request('PUT', "$api/authorize"), 404,
    page("Cannot PUT $api/authorize"), 'PUT authorize, open');
is($t->get("$api/authorize")->{status}, 404, 'GET authorize');
for my $path ("$api/devices/", "$api/DEVICES", "$api/devIces/",
    "$api/%64evices", "/mps$api/devices", "$api/devices?x#y")
{
    is_answer($t->get($path, as('reader')), 200, '[]', $path);
}
for my $path ("$api/devices//", "$api//devices", "$api/x/../devices",
    "$api/devices%2f", "/mps/login$api/devices", "/mps/x$api/devices",
    "$api/devices/a/b/c/d/e/f/g/h", "/mps/api/v2/devices", "$api/",
    "$api/devices/stats/x", "/api/v1/login/api/v1/authorize")
{
    is($t->get($path, as('reader'))->{status}, 404, $path);
}
is($t->get("$api/amt/power/state/%ff%fe", as('reader'))->{status}, 400,
    'path is no UTF-8');
is($t->get("$api/amt/power/state/%c9%c9", as('reader'))->{status}, 400,
    'path of two lead bytes is no UTF-8');
is_answer($t->get("$api/amt/power/state/%ff", as('reader')), 400,
    page('Bad Request'), 'its page');
is($t->get("$api/amt/power/state/%zz", as('reader'))->{status}, 400,
    'bad percent-encoding');
like(raw("GET http://h$api/devices HTTP/1.1\r\nHost: h\r\nX-API-Key: "
    . "$key{reader}\r\nConnection: close\r\n\r\n"), qr{ 200 OK.*\[\]$}s,
    'absolute form');

# ---- CORS ----

$r = $t->request('OPTIONS', "$api/whatever", headers => {
    'Access-Control-Request-Headers' => 'x-api-key, authorization' });
is($r->{status}, 204, 'OPTIONS without credentials');
is($r->{headers}{'access-control-allow-origin'}, '*', 'origin');
is($r->{headers}{'access-control-allow-methods'},
    'GET,HEAD,PUT,PATCH,POST,DELETE', 'methods');
is($r->{headers}{'access-control-allow-headers'}, 'x-api-key, authorization',
    'headers are echoed');
is($r->{headers}{vary}, 'Access-Control-Request-Headers', 'Vary');
$r = $t->request('OPTIONS', $api . '/devices', headers => {
    'Access-Control-Request-Headers' => 'x: <script>' });
is($r->{headers}{'access-control-allow-headers'}, undef, 'names only');

# ---- bodies ----

sub body {
    my ($body, %h) = @_;
    return $t->request('PATCH', "$api/devices", as('admin'), body => $body,
        headers => { %json, %h });
}

my $missing = '{"errors":[{"type":"field","msg":"Invalid value","path":"guid",'
    . '"location":"body"},{"type":"field","msg":"Invalid value",'
    . '"path":"guid","location":"body"}]}';

for my $syntax ('{', '{]', '5', '"x"', 'true', 'null', '{"a":1,}', '{a:1}',
    '{"a":1}x', '[1', '{"a":"\x"}', "{\"a\":\"\x01\"}", '  ', "{'a':1}",
    '{"a":01}', '{"a":"\ud800"}')
{
    is_answer(body($syntax), 400, bad(), "syntax: $syntax");
}
is_answer($t->post("$api/nothing", as('admin'), headers => \%json,
    body => '{'), 400, bad(), 'syntax error before unknown route');
is_answer(body('{"guid":1,"guid":2}'), 400,
    bad('duplicate member in a JSON object'), 'duplicate member');
is_answer(body("{\"guid\":\"\xff\"}"), 400, bad('body is not valid UTF-8'),
    'bad UTF-8');
is_answer(body("{\"guid\":\"\xed\xa0\x80\"}"), 400,
    bad('body is not valid UTF-8'), 'surrogate in UTF-8');
is_answer(body("{\"guid\":\"\xc9\xc9\"}"), 400,
    bad('body is not valid UTF-8'), 'two lead bytes in UTF-8');
is_answer(body("{\"guid\":\"\xf9\x90\x80\x80\"}"), 400,
    bad('body is not valid UTF-8'), 'lead byte out of range in UTF-8');
is_answer(body('{"guid":"\u0000"}'), 400,
    bad('null character in a JSON string'), 'null character');
is_answer(body('{"guid":1e999}'), 400, bad('number out of range'), '1e999');
is_answer(body('[' x 33 . ']' x 33), 400, bad('JSON is nested too deeply'),
    'depth 33');
is_answer(body('[' x 32 . ']' x 32), 400, $missing, 'depth 32');
is_answer(body('{"a":"' . '[' x 100 . '"}'), 400, $missing,
    'brackets in strings');
is_answer(body(''), 400, $missing, 'empty body');
is_answer(body('[]'), 400, $missing, 'an array');
is_answer(body('{"guid":"x"}', 'Content-Type' => 'text/plain'), 400, $missing,
    'another content type');
is_answer(body('{', 'Content-Type' => 'application/x-www-form-urlencoded'),
    400, $missing, 'is not parsed');
is(body("{\"guid\":\"$guid\"}", 'Content-Type' =>
    'Application/JSON ; charset="utf-8"')->{status}, 404, 'parameters');
is_answer(body('{}', 'Content-Type' => 'application/json; charset=latin1'),
    415, '{"error":"Unsupported Media Type","errorDescription":'
    . '"charset must be utf-8"}', 'charset');
is_answer(body('{}', 'Content-Encoding' => 'br'), 415,
    '{"error":"Unsupported Media Type","errorDescription":'
    . '"content encoding must be gzip or deflate"}', 'encoding');

my $text = qq({"guid":"$guid"});
my $large = '{"error":"Payload Too Large","errorDescription":'
    . '"Request body is too large"}';
is(body(Compress::Zlib::memGzip($text), 'Content-Encoding' => 'gzip')
    ->{status}, 404, 'gzip');
is(body(Compress::Zlib::compress($text), 'Content-Encoding' => 'deflate')
    ->{status}, 404, 'deflate');
my ($d) = Compress::Zlib::deflateInit(-WindowBits => -15);
my ($part) = $d->deflate($text);
my ($tail) = $d->flush;
is(body("$part$tail", 'Content-Encoding' => 'deflate')->{status}, 404,
    'raw deflate');
is_answer(body('no gzip', 'Content-Encoding' => 'gzip'), 400,
    bad('body cannot be inflated'), 'no gzip');
is_answer(body(substr(Compress::Zlib::memGzip($text), 0, 20),
    'Content-Encoding' => 'gzip'), 400, bad('body cannot be inflated'),
    'gzip, cut');
is_answer(body(Compress::Zlib::memGzip('{"a":"' . 'x' x 5_000_000 . '"}'),
    'Content-Encoding' => 'gzip'), 413, $large, 'gzip bomb');
is_answer(body('{"a":"' . 'x' x 102_392 . '"}'), 400, $missing,
    'exactly 100 kB');
is_answer(body('{"a":"' . 'x' x 102_393 . '"}'), 413, $large, 'one more');
is_answer(body('{"a":"' . 'x' x 3_000_000 . '"}'), 413, $large,
    'beyond nginx\'s own limit');

# ---- chunked, slow, split, cut, pipelined ----

my $head = "PATCH $api/devices HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{admin}"
    . "\r\nContent-Type: application/json\r\n";
my $chunked = "${head}Transfer-Encoding: chunked\r\n";
my $close = "Connection: close\r\n\r\n";

sub chunks { join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ } @_, '' }

like(raw($chunked . $close . chunks(split //, $text)), qr/ 404 .*NOT FOUND/s,
    'chunked, byte by byte');
like(raw($chunked . $close . chunks(('x' x 4096) x 30)), qr/ 413 .*too large/s,
    'chunked, too large');
like(raw($chunked . $close . "zz\r\n"), qr/ 400 .*Bad Request/s,
    'malformed chunk');
for my $bad ("zz\r\n", "5\r\nabcdeX", "2\r\n{}\r\nzz\r\n") {
    my @answers = raw("$chunked\r\n${bad}GET $api/version HTTP/1.1\r\nHost: h"
        . "\r\nX-API-Key: $key{reader}\r\n$close") =~ m{HTTP/1.1 (\d+)}g;
    is("@answers", '400', 'malformed chunk: what follows is no request');
}
my $s = $t->socket('http');
syswrite $s, "${head}Content-Length: " . length($text) . "\r\n$close";
for my $c (split //, $text) { syswrite $s, $c; sleep 0.002 }
like($t->exchange($s, ''), qr/ 404 .*NOT FOUND/s, 'byte by byte');
$s = $t->socket('http');
syswrite $s, "${head}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n";
sleep 0.1;
sysread $s, my $got, 4096;
like($got, qr{^HTTP/1.1 100 Continue}, 'Expect: 100-continue');
close $s;
my $two = "${head}Content-Length: " . length($text) . "\r\n\r\n$text";
my @answers = raw("$two$two" . "GET $api/version HTTP/1.1\r\nHost: h\r\n"
    . "X-API-Key: $key{reader}\r\n$close") =~ m{HTTP/1.1 (\d+)}g;
is("@answers", '404 404 200', 'pipelined');
@answers = raw("${head}Content-Length: 300000\r\n\r\n" . 'x' x 300000
    . "GET $api/version HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{reader}\r\n"
    . $close) =~ m{HTTP/1.1 (\d+)}g;
is($answers[0], 413, 'huge body, next request behind it');
@answers = raw("PATCH $api/devices HTTP/1.1\r\nHost: h\r\nContent-Length: "
    . "20000\r\nContent-Type: application/json\r\n\r\n" . 'x' x 20000
    . "GET $api/version HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{reader}\r\n"
    . $close) =~ m{HTTP/1.1 (\d+)}g;
is("@answers", '401 200', 'unread body is skipped');
for my $n (0, 1, length($text) - 1) {
    my $s = $t->socket('http');
    syswrite $s, "${head}Content-Length: " . length($text) . "\r\n\r\n"
        . substr $text, 0, $n;
    sleep 0.02;
    close $s;
}
is($t->get("$api/version", as('reader'))->{status}, 200,
    'clients that left inside their body');

# ---- validation ----

sub errors {
    return '{"errors":[' . join(',', map {
        my ($value, $msg, $path, $where) = @$_;
        '{"type":"field"' . (defined $value ? ",\"value\":$value" : '')
            . ",\"msg\":\"$msg\",\"path\":\"$path\",\"location\":\"$where\"}"
    } @_) . ']}';
}

my $iv = 'Invalid value';
my $tags = 'tags should be an array of strings';
my @write = (
    ['{}', [undef, $iv, 'guid', 'body'], [undef, $iv, 'guid', 'body']],
    ['{"guid":null}', ['null', $iv, 'guid', 'body'],
        ['null', $iv, 'guid', 'body']],
    ['{"guid":"1"}', ['"1"', $iv, 'guid', 'body']],
    ["{\"guid\":[\"$guid\"]}", ["[\"$guid\"]", $iv, 'guid', 'body'],
        ["[\"$guid\"]", $iv, 'guid', 'body']],
    ["{\"guid\":\"{$guid}\"}", ["\"{$guid}\"", $iv, 'guid', 'body']],
    [qq({"guid":"$guid","tags":"a"}), ['"a"', $tags, 'tags', 'body']],
    [qq({"guid":"$guid","tags":null}), ['null', $tags, 'tags', 'body']],
    [qq({"guid":"$guid","tags":["a",1,null]}),
        ['1', $tags, 'tags[1]', 'body'], ['null', $tags, 'tags[2]', 'body']],
    [qq({"guid":"$guid","tags":{"a":1}}), ['{"a":1}', $tags, 'tags', 'body'],
        ['1', $tags, 'tags.a', 'body']],
    [qq({"guid":"$guid","hostname":5}), ['5', $iv, 'hostname', 'body']],
    [qq({"guid":"$guid","deviceInfo":[1]}), ['[1]',
        'deviceInfo should be an object if provided', 'deviceInfo', 'body']],
    [qq({"guid":"$guid","deviceInfo":"x"}), ['"x"',
        'deviceInfo should be an object if provided', 'deviceInfo', 'body']],
    [qq({"guid":"$guid","dnsSuffix":7}), ['7', $iv, 'dnsSuffix', 'body']],
    [qq({"guid":"$guid","dnsSuffix":"a.com?injected_query_string"}),
        ['"a.com?injected_query_string"',
        'dnsSuffix must be a valid DNS suffix', 'dnsSuffix', 'body']],
    [qq({"guid":"$guid","connect":"yesterday"}), ['"yesterday"', $iv,
        'connect', 'body']],
    [qq({"guid":"$guid","mpsusername":1e21,"friendlyName":1.50}),
        ['1.5', $iv, 'friendlyName', 'body'],
        ['1e+21', $iv, 'mpsusername', 'body']],
);
for my $c (@write) {
    my ($in, @errors) = @$c;
    is_answer($t->post("$api/devices", as('admin'), headers => \%json,
        body => $in), 400, errors(@errors), "POST $in");
}
my $long = 'h' x 256;
is_answer($t->post("$api/devices", as('admin'), json => { guid => $guid,
    hostname => $long }), 400, errors([qq("$long"),
    'Hostname must be less than 256 characters', 'hostname', 'body']),
    'hostname of 256');
is_answer($t->post("$api/devices", as('admin'), json => { guid => $guid,
    dnsSuffix => $long }), 400, errors([qq("$long"),
    'dnsSuffix must be less than 256 characters', 'dnsSuffix', 'body']),
    'dnsSuffix of 256');
is($t->post("$api/devices", as('admin'), headers => \%json, body =>
    '{"guid":"' . $guid . '","hostname":"' . "\xc3\xbc" x 255 . '"}')
    ->{status}, 201, 'hostname of 255 characters in 510 bytes');
is_answer($t->post("$api/devices?guid=1", as('admin'), json =>
    { guid => $guid }), 400, errors(['"1"', $iv, 'guid', 'query']),
    'every place is checked');
is($t->post("$api/devices?guid=$guid", as('admin'))->{status}, 400,
    'a GUID in the query only');

my $top = 'The number of items to return should be a positive integer';
my $skip = 'The number of items to skip before starting to collect the '
    . 'result set should be a positive integer';
for my $c (
    ['$top=-1', ['"-1"', $top, '$top', 'query']],
    ['$top=x&$skip=1.5', ['"x"', $top, '$top', 'query'],
        ['"1.5"', $skip, '$skip', 'query']],
    ['$top=', ['""', $top, '$top', 'query']],
    ['$top=1&$top=2', ['["1","2"]', $top, '$top', 'query']],
    ['$count=yes', ['"yes"', 'To return total number of records in result '
        . 'set should be boolean', '$count', 'query']],
    ['status=2', ['"2"', $iv, 'status', 'query']],
    ['status=x', ['"x"', $iv, 'status', 'query'],
        ['"x"', $iv, 'status', 'query']],
    ['method=and', ['"and"', $iv, 'method', 'query']],
    ['tags=a&tags=b', ['["a","b"]', $iv, 'tags', 'query']],
    ["hostname=$long" . 'h', ["\"${long}h\"", $iv, 'hostname', 'query']],
    ['$top=%ff', ['"%ff"', $top, '$top', 'query']])
{
    my ($query, @errors) = @$c;
    is_answer($t->get("$api/devices?$query", as('reader')), 400,
        errors(@errors), "GET ?" . substr $query, 0, 40);
}
is($t->get("$api/devices?\$top=99999999999999999999", as('reader'))->{status},
    200, 'a very large $top');
is_answer($t->get("$api/devices/1", as('reader')), 400,
    errors(['"1"', $iv, 'guid', 'params']), 'short GUID');
is_answer($t->delete("$api/devices/refresh", as('admin')), 400,
    errors(['"refresh"', $iv, 'guid', 'params']), 'refresh without GUID');
is_answer($t->delete("$api/devices/$guid?isSecretToBeDeleted=t", as('admin')),
    400, errors(['"t"', $iv, 'isSecretToBeDeleted', 'query']),
    'isSecretToBeDeleted=t');
for my $c (['{}', [undef, $iv, 'action', 'body'],
        [undef, $iv, 'action', 'body']],
    ['{"action":9}', ['9', $iv, 'action', 'body']],
    ['{"action":"x"}', ['"x"', $iv, 'action', 'body'],
        ['"x"', $iv, 'action', 'body']],
    ['{"action":[8]}', ['[8]', $iv, 'action', 'body'],
        ['[8]', $iv, 'action', 'body']],
    ['{"action":[]}', ['[]', $iv, 'action', 'body'],
        ['[]', $iv, 'action', 'body']],
    ['{"action":true}', ['true', $iv, 'action', 'body'],
        ['true', $iv, 'action', 'body']],
    ['{"action":8.5}', ['8.5', $iv, 'action', 'body']])
{
    my ($in, @errors) = @$c;
    is_answer($t->post("$api/amt/power/action/$guid", as('power'),
        headers => \%json, body => $in), 400, errors(@errors),
        "action $in");
}

# ---- not connected ----

sub gone {
    return '{"error":"Device not found/connected. Please connect again using '
        . "CIRA.\",\"errorDescription\":\"guid : $_[0]\"}";
}

for my $g ($guid, '1', 'test-guid-123', 'a%22b%5Cc') {
    (my $text = $g) =~ s/%22/\\"/;
    $text =~ s/%5C/\\\\/;
    for my $p ('generalSettings', 'version', 'power/state',
        'power/capabilities')
    {
        is_answer($t->get("$api/amt/$p/$g", as('reader')), 404, gone($text),
            "$p/$g");
    }
    is_answer($t->post("$api/amt/power/action/$g", as('power'),
        json => { action => '8' }), 404, gone($text), "power/action/$g");
}
is_answer($t->delete("$api/devices/refresh/$guid", as('admin')), 404, '',
    'refresh');

# ---- login ----

is_answer($t->post("$api/authorize", json => { username => 'a' }), 400,
    errors([undef, 'Password is required', 'password', 'body']),
    'no password');
is_answer($t->post("$api/authorize?username=a", json => { password => 'b' }),
    400, errors([undef, $iv, 'username', 'body'],
    [undef, 'User name is required', 'username', 'body']), 'no user name');
is_answer($t->post("/mps/login$api/authorize", json => { username => 'a',
    password => '' }), 400,
    errors([undef, 'Password is required', 'password', 'body']),
    'the other layout, password not echoed');
is_answer($t->post("$api/authorize", json => { username => 'a',
    password => 'b' }), 401,
    '{"message":"Incorrect Username and/or Password!"}', 'unknown user');
is_answer($t->post("$api/authorize", json => { username => 'a',
    password => 5 }), 401,
    '{"message":"Incorrect Username and/or Password!"}', 'a number');
is_answer($t->get("$api/authorize/redirection/1", as('redirection')), 400,
    errors(['"1"', $iv, 'guid', 'params']), 'redirection: short GUID');
is_answer($t->get("$api/authorize/redirection/2$guid", as('redirection')),
    400, errors([qq("2$guid"), $iv, 'guid', 'params']), 'long GUID');
$r = $t->get("$api/authorize/redirection/$guid", as('redirection'));
is($r->{status}, 200, 'redirection token');
is($r->{headers}{'cache-control'}, 'no-store', 'is not cached');
is_answer($t->get("$api/devices", token => $r->{json}{token}), 401, $none,
    'and is good for nothing else');
is($t->get("$api/authorize/redirection/$guid", as('tenant'))->{status}, 404,
    'not for another tenant');

# ---- root certificate ----

$r = $t->get("$api/ciracert", as('reader'));
is($r->{headers}{'content-type'}, 'text/html; charset=utf-8', 'ciracert');
(my $pem = $t->read_file('root.crt')) =~ s/\r?\n/\r\n/g;
$pem =~ s/.*?(-----BEGIN)/$1/s;
is($r->{body}, $pem, 'PEM with CRLF');

# ---- audit log cannot be written ----

SKIP: {
    skip 'no /dev/full', 2 unless -e '/dev/full';
    my ($t2, $v2) = AMT::Api::start(http => '');
    $t2->allow(qr/audit|No space left/);
    $t2->stop;
    (my $conf = $t2->read_file('nginx.conf'))
        =~ s{amt_audit_log\s+\S+;}{amt_audit_log /dev/full;};
    $t2->write_file('nginx.conf', $conf);
    $t2->run('-g', 'daemon on;');
    $t2->wait_for(sub { -s "$t2->{dir}/nginx.pid" });
    $r = $t2->post("$api/devices", key => $key{admin},
        json => { guid => $guid });
    is_answer($r, 503, '{"error":"Service Unavailable","errorDescription":'
        . '"Audit log cannot be written"}', 'refused without audit line');
    is($t2->get("$api/devices/$guid", key => $key{admin})->{status}, 404,
        'and nothing happened');
}

AMT::Test::done();
