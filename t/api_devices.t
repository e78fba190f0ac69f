#!/usr/bin/perl
# REST: devices - create, change, list, one, delete; passwords to Vault.

use strict;
use warnings;
use Test::More;
use AMT::Api;

my %key = %AMT::Api::key;
my ($t, $vault) = AMT::Api::start();

my $api = '/api/v1/devices';
my $one = '143e4567-e89b-12d3-a456-426614174000';
my $two = '243e4567-e89b-12d3-a456-426614174001';
my $three = '343e4567-e89b-12d3-a456-426614174002';
my $four = '443e4567-e89b-12d3-a456-426614174003';

sub as { (key => $key{$_[0]}) }

# status and exact body
sub is_answer {
    my ($r, $status, $body, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is("$r->{status} $r->{body}", "$status $body", $name);
}

sub missing {
    return qq({"error":"NOT FOUND","message":"Device ID $_[0] not found"});
}

# ---- an empty store ----

is_answer($t->get($api, as('reader')), 200, '[]', 'no devices');
is_answer($t->get("$api?\$count=true", as('reader')), 200,
    '{"data":[],"totalCount":0}', 'no devices, counted');
is_answer($t->get("$api/stats", as('reader')), 200,
    '{"totalCount":0,"connectedCount":0,"disconnectedCount":0}', 'stats');
is_answer($t->get("$api/tags", as('reader')), 200, '[]', 'tags');
is_answer($t->get("$api/$one", as('reader')), 404, '', 'unknown device');
is_answer($t->patch($api, as('admin'), json => { guid => $one }), 404,
    missing($one), 'PATCH of an unknown device');
is_answer($t->delete("$api/$one", as('admin')), 404, missing($one),
    'DELETE of an unknown device');

# ---- create and change ----

my $record = qq({"guid":"$one","hostname":"pc1","tags":["b","a"],)
    . '"mpsInstance":null,"connectionStatus":false,"mpsusername":"admin",'
    . '"tenantId":"","friendlyName":null,"dnsSuffix":"","lastConnected":null,'
    . '"lastSeen":null,"lastDisconnected":null,'
    . '"deviceInfo":{"z":1,"fwVersion":"15.0","n":[1.5,true,null]}}';

my $r = $t->post($api, as('devices'),
    headers => { 'Content-Type' => 'application/json; charset=UTF-8' },
    body => '{"guid":"' . uc($one) . '","hostname":"pc1","tags":["b","a"],'
    . '"mpsusername":"admin","dnsSuffix":"","deviceInfo":{"z":1,'
    . '"fwVersion":"15.0","n":[1.5,true,null]},"connectionStatus":true,'
    . '"mpsInstance":"evil","lastSeen":"2020-01-01T00:00:00Z"}');
is_answer($r, 201, $record, 'created, connection columns ignored');
is($r->{headers}{'content-type'}, 'application/json; charset=utf-8', 'type');
is($r->{headers}{'content-length'}, length $record, 'length');
is($r->{headers}{'access-control-allow-origin'}, '*', 'CORS header');
ok(!$r->{headers}{etag}, 'no ETag on a write');

is_answer($t->get("$api/$one", as('reader')), 200, $record, 'read back');
is_answer($t->get("$api/" . uc $one, as('reader')), 200, $record,
    'upper case finds it');
is_answer($t->get("/mps$api/$one", as('reader')), 200, $record,
    'the other layout');

$record =~ s/"hostname":"pc1"/"hostname":"pc2"/;
is_answer($t->post($api, as('devices'), json => { guid => $one,
    hostname => 'pc2' }), 200, $record, 'POST again changes');
$record =~ s/"hostname":"pc2"/"hostname":null/;
is_answer($t->patch($api, as('devices'), json => { guid => $one,
    hostname => undef }), 200, $record, 'PATCH: null overwrites');
$record =~ s/"friendlyName":null/"friendlyName":"K\x{c3}\x{bc}che \\"1\\" \\\\ \\u0001"/;
is_answer($t->patch($api, as('devices'), headers => { 'Content-Type' =>
    'application/json' }, body => qq({"guid":"$one","friendlyName":)
    . '"K\u00fcche \"1\" \\\\ \u0001"}'), 200, $record, 'text is escaped');
for my $suffix ('os.suffix.com', '', undef, 'os.suffix.com.', 'localdomain') {
    is($t->patch($api, as('admin'), json => { guid => $one,
        dnsSuffix => $suffix })->{status}, 200,
        'dnsSuffix ' . ($suffix // 'null'));
}

# ---- If-Match is no trap ----

$r = $t->patch($api, as('admin'), json => { guid => $one, hostname => 'pc3' },
    headers => { 'If-Match' => '"x"', 'If-None-Match' => '*',
        'If-Unmodified-Since' => 'Sun, 06 Nov 1994 08:49:37 GMT' });
is($r->{status}, 200, 'PATCH with If-Match');
$r = $t->get("$api/$one", as('admin'), headers => { 'If-Match' => '"x"',
    'If-Unmodified-Since' => 'Sun, 06 Nov 1994 08:49:37 GMT' });
is($r->{status}, 200, 'GET with If-Match');
like($r->{headers}{etag}, qr{^W/"[0-9]+-[A-Za-z0-9+/]{27}"$}, 'weak ETag');
is_answer($t->get("$api/$one", as('admin'),
    headers => { 'If-None-Match' => $r->{headers}{etag} }), 304, '',
    'not modified');
$r = $t->request('HEAD', "$api/$one", as('admin'));
is($r->{status}, 200, 'HEAD');
ok($r->{headers}{'content-length'} > 200 && $r->{body} eq '', 'without body');

# ---- list ----

is($t->post($api, as('admin'), json => { guid => $two, tags => ['a', 'c'],
    friendlyName => 'two' })->{status}, 201, 'second device');
$r = $t->get("$api?%24top=10&\$skip=0&\$count=true", as('reader'));
is($r->{json}{totalCount}, 2, 'totalCount');
is(join(' ', map { $_->{guid} } @{$r->{json}{data}}), "$one $two", 'by GUID');
my ($first) = $r->{body} =~ /\{"data":\[\{(.*?)"deviceInfo"/;
is(join(' ', ($first // '') =~ /"(\w+)":/g), 'guid hostname tags mpsInstance '
    . 'connectionStatus mpsusername tenantId friendlyName dnsSuffix',
    'list records have no dates');

sub guids {
    my ($query) = @_;
    my $r = $t->get("$api?$query", as('reader'));
    return $r->{status} if $r->{status} != 200;
    return join ' ', map { substr $_->{guid}, 0, 1 } @{$r->{json}};
}

is(guids('$count=false'), '1 2', 'a bare array');
is(guids('$top=1'), '1', '$top');
is(guids('$top=1&$skip=1'), '2', '$skip');
is(guids('$top=0'), '', '$top=0');
is(guids('$top=%2B01'), '1', 'sign and leading zeros');
is(guids('tags=a'), '1 2', 'tags');
is(guids('tags=b,c'), '1 2', 'any of the tags');
is(guids('tags=a,c&method=AND'), '2', 'all tags');
is(guids('tags=A'), '', 'tags by case');
is(guids('hostname=pc3'), '1', 'hostname');
is(guids('hostname='), '', 'empty hostname');
is(guids('friendlyName=two'), '2', 'friendlyName');
is(guids('status=1'), '', 'connected');
is(guids('status=0'), '1 2', 'not connected');
is_answer($t->get("$api/stats", as('reader')), 200,
    '{"totalCount":2,"connectedCount":0,"disconnectedCount":2}', 'stats');
is(join(' ', sort @{$t->get("$api/tags", as('reader'))->{json}}), 'a b c',
    'tags of all');

# ---- passwords ----

$vault->put("devices/$one", { KEEP => 'x', AMT_PASSWORD => 'old' });
$r = $t->patch($api, as('admin'), json => { guid => $one, hostname => 'pc4',
    mpspassword => 'Mps-1!', amtpassword => 'Amt-1!' });
is($r->{status}, 200, 'PATCH with passwords');
unlike($r->{body}, qr/Mps-1|Amt-1|password/i, 'which are not returned');
is_deeply($vault->get("devices/$one"), { KEEP => 'x',
    AMT_PASSWORD => 'Amt-1!', MPS_PASSWORD => 'Mps-1!' },
    'but are in Vault, merged');

is($t->post($api, as('admin'), json => { guid => $three,
    mebxpassword => 'M' })->{status}, 201, 'POST with a password');
is_deeply($vault->get("devices/$three"), { MEBX_PASSWORD => 'M',
    KEPT_FOR_TENANT => '1 ' }, 'in Vault, as this tenant\'s');

$r = $t->post($api, as('admin'), json => { guid => $three, mpspassword => '',
    amtpassword => { secret => 'hidden' }, mebxpassword => 'x' x 256 });
is_answer($r, 400, '{"errors":['
    . '{"type":"field","msg":"Invalid value","path":"mpspassword",'
    . '"location":"body"},'
    . '{"type":"field","msg":"Invalid value","path":"amtpassword",'
    . '"location":"body"},'
    . '{"type":"field","msg":"Invalid value","path":"mebxpassword",'
    . '"location":"body"}]}', 'bad passwords are not echoed');

$vault->mode('race:2');
is($t->patch($api, as('admin'), json => { guid => $three,
    amtpassword => 'R' })->{status}, 200,
    'lost check-and-set twice, tried again');
is_deeply($vault->get("devices/$three"), { MEBX_PASSWORD => 'M', RACE => 1,
    AMT_PASSWORD => 'R' }, 'and nothing was lost');
$vault->mode('race:99');
is_answer($t->patch($api, as('admin'), json => { guid => $three,
    amtpassword => 'Sx', hostname => 'never' }), 409,
    '{"errorDescription":"Exception during device write"}',
    'lost too often');
$vault->mode('');

for my $m (['sealed', 503, 'Secret store is sealed'],
    ['denied', 500, 'Secret store denied access'],
    ['error', 503, 'Secret store did not answer'],
    ['drop', 503, 'Secret store did not answer'],
    ['garbage', 503, 'Secret store did not answer'],
    ['cut', 503, 'Secret store did not answer'])
{
    my $title = $m->[1] == 503 ? 'Service Unavailable'
        : 'Internal Server Error';
    $vault->mode($m->[0]);
    is_answer($t->patch($api, as('admin'), json => { guid => $three,
        amtpassword => 'Sx', hostname => 'never' }), $m->[1],
        qq({"error":"$title","errorDescription":"$m->[2]"}),
        "Vault: $m->[0]");
    $r = $t->get('/api/v1/health');
    is($r->{status}, 503, "health, Vault: $m->[0]");
    is($r->{json}{db}{status}, 'OK', 'while the store is well');
}
$vault->mode('');
is($t->get("$api/$three", as('admin'))->{json}{hostname}, undef,
    'rows are not written without their passwords');
is($vault->get("devices/$three")->{AMT_PASSWORD}, 'R', 'Vault is as it was');
$r = $t->get('/api/v1/health');
is($r->{status}, 200, 'healthy again');
like($r->{body}, qr/^\{"db":\{"name":"SQLITE","status":"OK"\},
    "secretStore":\{"name":"VAULT","status":\{.*"initialized":true.*\}\}\}$/x,
    'health');

# ---- tenants ----

is($t->post($api, as('tenant'), json => { guid => $four, tenantId => 'U',
    mpspassword => 'T-secret' })->{json}{tenantId}, 'T',
    'the tenant of the key wins');
is_answer($t->get("$api/$four", as('other')), 204, '', 'other tenant: 204');
is_answer($t->get("$api/$four", as('admin')), 204, '', 'default tenant: 204');
is_answer($t->get("$api/$four?tenantId=T", as('admin')), 204, '',
    'a key of the default tenant cannot choose');
is($t->get("$api/$four?tenantId=T", as('gateway'))->{status}, 200,
    'a key of all tenants can');
is_answer($t->get("$api/$four?tenantId=U", as('gateway')), 204, '',
    'and sees no other then');
is_answer($t->get("$api/$four?tenantId=T", as('other')), 204, '',
    'tenantId does not help another tenant');
is_answer($t->patch($api, as('other'), json => { guid => $four,
    tenantId => 'T' }), 404, missing($four), 'PATCH by another tenant');
is_answer($t->post($api, as('other'), json => { guid => $four,
    mpspassword => 'stolen' }), 400,
    qq({"error":"Unique key violation","message":"Device ID: $four already )
    . 'exists"}', 'POST by another tenant');
is_deeply($vault->get("devices/$four"), { MPS_PASSWORD => 'T-secret',
    KEPT_FOR_TENANT => '1 T' }, 'whose passwords do not get into Vault');
is($t->delete("$api/$four?isSecretToBeDeleted=true", as('other'))->{status},
    404, 'DELETE by another tenant');
ok($vault->get("devices/$four"), 'does not delete secrets either');
is(guids('$top=99'), '1 2 3', 'lists are per tenant');
is($t->get($api, as('tenant'))->{json}[0]{guid}, $four, 'for all');
is($t->get("$api/stats", as('tenant'))->{json}{totalCount}, 1, 'stats too');
for my $bad ('a b', "\x{e4}" x 36, 'a*', 'x' x 37) {
    is($t->post($api, as('gateway'), json => { guid => $four,
        tenantId => $bad })->{status}, 400, 'no tenant a device could have');
}
is($t->patch($api, as('gateway'), json => { guid => $four, tenantId => 'T',
    tags => ['t'], hostname => 'same', friendlyName => 'name' })->{status}, 200,
    'PATCH with tenantId');
my $five = '5' . substr $four, 1;
is($t->post($api, as('other'), json => { guid => $five, tags => ['t', 'u'],
    hostname => 'same', friendlyName => 'name' })->{status}, 201,
    'a device of another tenant that looks the same');
is_deeply($t->get("$api/tags", as('tenant'))->{json}, ['t'], 'tags');
is_deeply($t->get("$api/tags", as('other'))->{json}, ['t', 'u'],
    'of that tenant');
for my $q ('hostname=same', 'friendlyName=name', 'tags=t', 'tags=t,x&method=OR',
    'tags=t,t&method=AND', '$top=9')
{
    is_deeply([map { $_->{guid} } @{$t->get("$api?$q", as('tenant'))->{json}}],
        [$four], "its own only: $q");
    is_deeply([map { $_->{guid} } @{$t->get("$api?$q", as('other'))->{json}}],
        [$five], "the other its own: $q");
    is_deeply($t->get("$api?$q&tenantId=T", as('admin'))->{json}, [],
        "others none: $q") if $q !~ /top/;
}
is($t->delete("$api/$five", as('other'))->{status}, 204, 'gone again');

# ---- delete ----

is($t->delete("$api/$four?tenantId=T&isSecretToBeDeleted=true", as('gateway'))
    ->{status}, 204, 'DELETE with tenantId and secrets');
is($vault->get("devices/$four"), undef, 'Vault is empty');
is($t->delete("$api/$one?isSecretToBeDeleted=1", as('admin'))->{status}, 204,
    '1 is not true');
ok($vault->get("devices/$one"), 'so the secrets stay');
$vault->mode('error');
is_answer($t->delete("$api/$three?isSecretToBeDeleted=true", as('admin')), 503,
    '{"error":"Service Unavailable","errorDescription":'
    . '"Secret store did not answer"}', 'Vault fails');
$vault->mode('');
is($t->get("$api/$three", as('admin'))->{status}, 200, 'the row stays');
is($t->delete("$api/$three?isSecretToBeDeleted=false", as('admin'))->{status},
    204, 'false');
ok($vault->get("devices/$three"), 'keeps the secrets');

# ---- audit ----

my $audit = $t->read_file('logs/audit.log');
like($audit, qr/"action":"device.write".*"guid":"$one"/, 'audit: write');
like($audit, qr/"action":"device.delete".*"guid":"$four".*"secrets":true/,
    'audit: delete');
like($audit, qr/"action":"device.change".*"fields":\["guid","hostname"/,
    'audit: names of the fields');
unlike($audit, qr/Mps-1|Amt-1|T-secret|stolen/, 'audit: no secrets');
unlike($t->log, qr/Mps-1|Amt-1|T-secret|stolen/, 'error log: no secrets')
    unless $ENV{AMT_DEBUG};

AMT::Test::done();
