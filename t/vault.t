#!/usr/bin/perl

# The Vault client against an upstream that misbehaves in every way nginx
# lets through, against a real server when there is one, and the embedded one: "there is none",
# "did not answer", sealed, denied and changed meanwhile stay apart.

use strict;
use warnings;
use Test::More;
use JSON::PP;
use AMT::Stub;
use AMT::Test;

my %E = (NONE => 0, INTERNAL => 1, CONFLICT => 6, INVALID => 7, VAULT => 9,
    SEALED => 10, DENIED => 11);
my ($OK, $ERROR, $DECLINED) = (0, -1, -5);

my $upstream = '127.0.0.1:%%PORT:vault%%';
my $location = <<'EOF';
    internal;
    proxy_pass http://amt_vault/v1/;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Vault-Token $amt_vault_token;
    proxy_buffering off;
    proxy_max_temp_file_size 0;
    proxy_connect_timeout 2s;
    proxy_read_timeout 1s;
    subrequest_output_buffer_size 256k;
EOF

sub http {
    my (%o) = @_;
    my $params = $o{params} // 'token=%%DIR%%/token';
    my $loc = $o{location} // "location ^~ /_vault/ {\n$location\n}";
    my $more = $o{more} // '';

    return <<EOF;
    amt_vault /_vault/ secret $params;
    upstream amt_vault { server $upstream; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT:http%%;
        large_client_header_buffers 4 512k;
        location /run { amt_test; }
        location = /leak { return 200 "token=\$amt_vault_token"; }
    }
    server {
        listen unix:%%DIR%%/amt.sock;
        server_name inside;
        $more
        $loc
    }
EOF
}

my $main = 'thread_pool amt_read threads=2; thread_pool amt_write threads=1;';
my $t = AMT::Test->new(nginx => AMT::Test::test_nginx());
my $conf = AMT::Test->new(nginx => $t->{nginx});
my $token = 'hvs.firstTOKEN';

$_->write_file('token', "$token\n", 0600) for $t, $conf;

sub run {
    my ($op, $path, %o) = @_;
    my $q = "/run?op=$op&path=$path";

    $o{data} = JSON::PP->new->canonical->encode($o{data}) if ref $o{data};
    for my $k (sort keys %o) {
        (my $v = $o{$k}) =~ s/([^A-Za-z0-9.-])/sprintf '%%%02X', ord $1/ge;
        $q .= "&$k=$v";
    }

    return $t->get($q)->{json} || {};
}

# New configuration, and only new workers
sub reload {
    my @old = $t->workers;

    $t->config(main => $main, http => http(@_));
    $t->reload;
    undef $t->{ua};
    $t->wait_for(sub { !grep { kill 0, $_ } @old });
}

sub result {
    my ($name, $r, $rc, $err, $text) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(($r->{rc} // 99) == $rc && ($r->{err} // 99) == $E{$err}
        && (!$text || $r->{text} =~ $text), $name)
        or diag(encode_json($r));
}

# ---- nginx -t ----------------------------------------------------------------

sub refused {
    my ($name, $re, %o) = @_;
    my ($ok, $text) = $conf->check(main => $main, http => http(%o));

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(!$ok && $text =~ $re, "nginx -t: $name") or diag($text);
}

sub changed {
    my ($from, $to) = @_;
    (my $l = $location) =~ s/$from/$to/ or die $from;
    return location => "location ^~ /_vault/ {\n$l\n}";
}

{
    my ($ok, $text) = $conf->check(main => $main, http => http());
    ok($ok, 'nginx -t: good') or diag($text);
    unlike($text, qr/warn/, 'no warning');
}

{
    my $snippet = $t->read_file("$t->{root}/conf/amt/vault.conf");
    $conf->certs;
    $snippet =~ s{/etc/nginx/amt/vault-ca.crt}{%%DIR%%/root.crt} or die;
    my ($ok, $text) = $conf->check(main => $main,
        http => http(location => $snippet));
    ok($ok, 'nginx -t: conf/amt/vault.conf') or diag($text);
    unlike($text, qr/warn/, 'no warning');
}

refused('no location', qr{amt_vault: no server has a location "/_vault/"},
    location => '');
refused('other location', qr{no server has a location},
    location => "location ^~ /_vault/x/ {\n$location\n}");
refused('exact location', qr{no server has a location},
    location => "location = /_vault/ {\n$location\n}");
refused('not internal', qr/must be "internal"/, changed('internal;', ''));
refused('static files', qr/is answered by nginx itself/,
    location => 'location ^~ /_vault/ { internal; root /tmp;'
        . 'subrequest_output_buffer_size 256k; }');
refused('return', qr/is answered by nginx itself/,
    location => 'location ^~ /_vault/ { internal; return 404;'
        . 'subrequest_output_buffer_size 256k; }');
refused('errors intercepted', qr/needs "proxy_intercept_errors off"/,
    changed('internal;', 'internal; proxy_intercept_errors on;'));
refused('buffering', qr/needs "proxy_buffering off"/,
    changed('proxy_buffering off', 'proxy_buffering on'));
refused('store', qr/must not have "proxy_store"/,
    changed('internal;', 'internal; proxy_store on;'));
refused('no body', qr/needs "proxy_pass_request_body on"/,
    changed('internal;', 'internal; proxy_pass_request_body off;'));
refused('repeated writes', qr/must not have "proxy_next_upstream/,
    changed('internal;', 'internal; proxy_next_upstream error non_idempotent;'));
refused('small buffer', qr/needs "subrequest_output_buffer_size 64k"/,
    changed('size 256k', 'size 16k'));
refused('nested location', qr/must not contain other locations/,
    changed('internal;', "internal; location /_vault/x { return 200; }\n"));
refused('longer location', qr{must not have locations below it},
    more => 'location /_vault/v1/secret/ { return 200; }');
refused('exact location below', qr{must not have locations below it},
    more => 'location = /_vault/secret/x { return 200; }');
refused('regex location', qr/must be declared with "\^~"/,
    location => "location /_vault/ {\n$location\n}\n"
        . 'location ~ \.php$ { return 200; }');
refused('bad parameter', qr/invalid parameter "tokn=x"/, params => 'tokn=x');
refused('bad time', qr/invalid parameter "timeout=0"/, params => 'timeout=0');
refused('no token file', qr/token file ".*none" cannot be opened .*No such/,
    params => 'token=%%DIR%%/none');
$conf->write_file('open', "x\n", 0644);
refused('open token file', qr/must not be accessible to others/,
    params => 'token=%%DIR%%/open');
$conf->write_file('two', "one two\n", 0600);
refused('no token', qr/holds something else than one token/,
    params => 'token=%%DIR%%/two');
$conf->write_file('empty', "\n", 0600);
refused('empty token file', qr/is empty/, params => 'token=%%DIR%%/empty');
{
    my ($ok, $text) = $conf->check(http => http());
    ok(!$ok && $text =~ /no thread pool "amt_read": add "thread_pool amt_read /,
        'nginx -t: missing thread pool is explained') or diag($text);

    ($ok, $text) = $conf->check(main => $main,
        http => http(changed('http://amt', 'https://amt')));
    ok($ok && $text =~ /\[warn\].*lacks "proxy_ssl_verify on"/,
        'nginx -t: unverified Vault is a warning') or diag($text);
}

# ---- answers -----------------------------------------------------------------

my $stub = AMT::Stub->new($t->port('vault'));
my $good = '{"data":{"data":{"AMT_PASSWORD":"P@ssw0rd-S3cret"},'
    . '"metadata":{"version":7}}}';

$t->start(main => $main, http => http(params =>
    'token=%%DIR%%/token timeout=3s'));

my $P = '/v1/secret/data/devices/d1';
sub read_it { run('read', 'devices/d1') }

$stub->answer($P, 200, $good);
my $r = read_it();
result('read', $r, $OK, 'NONE');
is_deeply($r->{data}, { AMT_PASSWORD => 'P@ssw0rd-S3cret' }, 'secret');
is($r->{version}, 7, 'version');

my ($req) = $stub->requests;
is($req->[0] . $req->[1], "GET$P", 'request');
like($req->[3], qr/^X-Vault-Token: \Q$token\E\r$/m, 'token');
unlike($req->[3], qr/Content-Length|Transfer-Encoding/, 'no body');

is($t->get('/leak')->{body}, 'token=', 'clients cannot get at the token');

for ([404, '{"errors":[]}', $DECLINED, 'NONE', 'no secret'],
    [404, '{"errors":["no handler for route"]}', $ERROR, 'VAULT', 'no mount'],
    [404, '<html>404</html>', $ERROR, 'VAULT', 'another server\'s 404'],
    [404, '', $ERROR, 'VAULT', 'empty 404'],
    [404, '{"data":{"data":null,"metadata":{"version":3,'
        . '"deletion_time":"x"}}}', $DECLINED, 'NONE', 'deleted version'],
    [403, '{"errors":["permission denied"]}', $ERROR, 'DENIED', 'denied'],
    [403, '', $ERROR, 'DENIED', 'denied without body'],
    [503, '{"errors":["Vault is sealed"]}', $ERROR, 'SEALED', 'sealed'],
    [503, 'sealed', $ERROR, 'VAULT', 'unavailable'],
    [500, '{"errors":["internal"]}', $ERROR, 'VAULT', 'internal error'],
    [301, '', $ERROR, 'VAULT', 'redirect'],
    [201, $good, $ERROR, 'VAULT', 'created'],
    [204, '', $ERROR, 'VAULT', 'nothing'],
    [429, '{"errors":[]}', $ERROR, 'VAULT', 'standby'],
    [200, '', $ERROR, 'VAULT', 'empty body'],
    [200, '{"data":{"data":{"A":"b"},"metadata":{"version":7}}', $ERROR,
        'VAULT', 'JSON without end'],
    [200, $good . 'x', $ERROR, 'VAULT', 'JSON and more'],
    [200, '{"data":{"data":{"A":"b","A":"c"},"metadata":{"version":7}}}',
        $ERROR, 'VAULT', 'duplicate keys'],
    [200, '[]', $ERROR, 'VAULT', 'array'],
    [200, '{"data":{"A":"b"}}', $ERROR, 'VAULT', 'KV version 1'],
    [200, '{"data":{"data":{},"metadata":{"version":0}}}', $ERROR, 'VAULT',
        'version 0'],
    [200, '{"data":{"data":{"A":"' . ("\xff" x 3) . '"},"metadata":'
        . '{"version":1}}}', $ERROR, 'VAULT', 'not UTF-8'],
    [200, '[' x 3000, $ERROR, 'VAULT', 'deep'],
) {
    $stub->answer($P, $_->[0], $_->[1]);
    result("status $_->[0]: $_->[4]", read_it(), $_->[2], $_->[3]);
}

$stub->answer($P, 404, '{"data":{"data":null,"metadata":{"version":3}}}');
is(read_it()->{version}, 3, 'a deleted version is known for the next write');

$stub->drop($P);
result('dropped', read_it(), $ERROR, 'VAULT', qr/did not answer: no connec/);

for (["\x15\x03\x01\x00\x02\x02\x28", 'garbage'],
    ["hello, this is HTTP/0.9\r\n", 'HTTP/0.9'],
) {
    $stub->raw($P, $_->[0]);
    result($_->[1], read_it(), $ERROR, 'VAULT',
        qr/not answer: (not an HTTP answer|no connection)/);
}

# what nginx itself would do for such an answer
for my $head ('X-Accel-Redirect: /leak', 'X-Accel-Redirect: /_vault/other',
    'X-Accel-Redirect: @none', 'X-Accel-Buffering: yes',
    'X-Accel-Limit-Rate: 1', 'X-Accel-Charset: koi8-r',
    'X-Accel-Expires: 3600')
{
    $stub->raw($P, "HTTP/1.1 200 OK\r\n$head\r\nContent-Length: "
        . length($good) . "\r\n\r\n$good");
    my $r = read_it();
    result("ignored: $head", $r, $OK, 'NONE');
    is($r->{version}, 7, 'the answer counts');
}

my $len = length $good;
for (["Content-Length: 500\r\n\r\n$good", 'cut, but JSON is complete'],
    ["Content-Length: 100\r\n\r\n{\"data\":{\"da", 'cut'],
    ["Content-Length: 100\r\n\r\n", 'cut before the first byte'],
    [sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", $len, $good),
        'chunked, no last chunk'],
    [sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s", $len + 9, $good),
        'chunk cut'],
    ["\r\n$good", 'end of connection is no end of answer'],
) {
    $stub->raw($P, "HTTP/1.1 200 OK\r\n$_->[0]");
    result($_->[1], read_it(), $ERROR, 'VAULT', qr/answer: answer was cut/);
}

$stub->raw($P, "HTTP/1.1 404 Not Found\r\nContent-Length: 90\r\n\r\n"
    . '{"errors":[]}');
result('a cut 404 is no "none"', read_it(), $ERROR, 'VAULT', qr/was cut/);

$stub->raw($P, sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "%x\r\n%s\r\n0\r\n\r\n", $len, $good));
result('chunked and complete', read_it(), $OK, 'NONE');

$stub->raw($P, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nxx", hold => 2);
result('stalled body', read_it(), $ERROR, 'VAULT', qr/was cut/);

$stub->answer($P, 200, $good, delay => 2);
result('no header in time', read_it(), $ERROR, 'VAULT', qr/answer: timed out/);

# the stand-in does one thing at a time
$stub->answer($P, 200, $good);
ok($t->wait_for(sub { (read_it()->{rc} // 99) == $OK }, 20), 'in time again');

$stub->answer($P, 200, '{"data":{"data":{"A":"' . ('x' x 300_000)
    . '"},"metadata":{"version":7}}}');
result('too large', read_it(), $ERROR, 'VAULT', qr/larger than subrequest_/);
like($t->log, qr/too big subrequest response/, 'nginx says so, too');

my $big = 'y' x 200_000;
$stub->answer($P, 200, qq({"data":{"data":{"A":"$big"},"metadata":)
    . '{"version":7}}}');
ok((read_it()->{data}{A} // '') eq $big, 'a certificate store of 200 KB fits');

# ---- the other operations ----------------------------------------------------

my $sent = scalar $stub->requests;
for (qw(.. ../x a//b /a a/ a/./b a/../b a%20b a%3Fb a%23 a%25 %C3%A4 a;b),
    '', 'x' x 600)
{
    my $q = $t->get("/run?op=read&path=$_")->{json};
    result("path \"" . substr($_, 0, 9) . "\" refused", $q, $ERROR, 'INVALID');
}
is(scalar $stub->requests, $sent, 'none of them was asked for');

$stub->answer("POST $P", 200, '{"data":{"version":8}}');
$r = run('write', 'devices/d1', data => { AMT_PASSWORD => 'Ne"w', B => 'c' },
    cas => 7);
result('write', $r, $OK, 'NONE');
is($r->{version}, 8, 'new version');
$req = ($stub->requests)[-1];
is($req->[0], 'POST', 'method');
is_deeply(decode_json($req->[2]), { options => { cas => 7 },
    data => { AMT_PASSWORD => 'Ne"w', B => 'c' } }, 'whole object with cas');
like($req->[3], qr{^Content-Type: application/json\r$}m, 'content type');

$stub->answer("POST $P", 400, '{"errors":["check-and-set parameter did not '
    . 'match the current version"]}');
result('lost race', run('write', 'devices/d1', cas => 3), $ERROR, 'CONFLICT');
$stub->answer("POST $P", 400, '{"errors":["no data provided"]}');
result('bad request', run('write', 'devices/d1'), $ERROR, 'VAULT');
$stub->answer("POST $P", 404, '{"errors":[]}');
result('write to nowhere', run('write', 'devices/d1'), $ERROR, 'VAULT');
$stub->answer("POST $P", 204, '');
result('write to KV version 1', run('write', 'devices/d1'), $ERROR, 'VAULT');

$stub->answer($P, 200, $good);
$stub->answer("POST $P", 200, '{"data":{"version":8}}');
result('merge', run('merge', 'devices/d1', data => { X => 'y' }), $OK, 'NONE');
is_deeply(decode_json(($stub->requests)[-1][2]), { options => { cas => 7 },
    data => { AMT_PASSWORD => 'P@ssw0rd-S3cret', X => 'y' } }, 'merged');
run('merge', 'devices/d1', data => '{"AMT_PASSWORD":null,"X":"y"}');
is_deeply(decode_json(($stub->requests)[-1][2])->{data}, { X => 'y' },
    'null removes');
$sent = scalar $stub->requests;
result('merge without change', run('merge', 'devices/d1',
    data => '{"AMT_PASSWORD":"P@ssw0rd-S3cret"}'), $OK, 'NONE');
is(scalar $stub->requests, $sent + 1, 'writes nothing');
$stub->answer("POST $P", 400, '{"errors":["check-and-set parameter did not '
    . 'match the current version"]}');
$sent = scalar $stub->requests;
result('merge that always loses', run('merge', 'devices/d1',
    data => { X => 'y' }), $ERROR, 'CONFLICT');
is(scalar $stub->requests, $sent + 10, 'five tries');
$stub->answer("GET $P", 503, '{"errors":["Vault is sealed"]}');
$sent = scalar $stub->requests;
result('merge while sealed', run('merge', 'devices/d1', data => { X => 'y' }),
    $ERROR, 'SEALED');
is(scalar $stub->requests, $sent + 1, 'writes nothing after no answer');
$stub->drop("GET $P");
result('merge without answer', run('merge', 'devices/d1',
    data => { X => 'y' }), $ERROR, 'VAULT');
ok(!(grep { $_->[0] eq 'POST' } ($stub->requests)[$sent .. $stub->requests - 1]),
    'writes nothing after a lost one either');

my $M = '/v1/secret/metadata/devices/d1';
$stub->answer("DELETE $M", 204, '');
result('delete', run('delete', 'devices/d1'), $OK, 'NONE');
$stub->answer("DELETE $M", 404, '{"errors":[]}');
result('delete none', run('delete', 'devices/d1'), $OK, 'NONE');
$stub->answer("DELETE $M", 403, '{"errors":["permission denied"]}');
result('delete denied', run('delete', 'devices/d1'), $ERROR, 'DENIED');
$stub->answer("DELETE $M", 404, 'nginx');
result('delete elsewhere', run('delete', 'devices/d1'), $ERROR, 'VAULT');

my $L = '/v1/secret/metadata/devices';
$stub->answer($L, 200, '{"data":{"keys":["a","b/"]}}');
is_deeply(run('list', 'devices')->{data}, ['a', 'b/'], 'list');
like(($stub->requests)[-1][1], qr/\?list=true$/, 'as Vault wants it');
$stub->answer($L, 404, '{"errors":[]}');
is_deeply(run('list', 'devices')->{data}, [], 'empty list');
$stub->answer($L, 200, '{"data":{"keys":[1]}}');
result('bad list', run('list', 'devices'), $ERROR, 'VAULT');
$stub->answer($L, 404, '{"errors":["no handler"]}');
result('list of no mount', run('list', 'devices'), $ERROR, 'VAULT');

my $H = '/v1/sys/health';
for (200, 429, 501, 503) {
    my $sealed = $_ == 503 ? 'true' : 'false';
    $stub->answer($H, $_, qq({"initialized":true,"sealed":$sealed}));
    $r = run('health', 'x');
    result("health $_", $r, $OK, 'NONE');
    is($r->{data}{sealed} ? 1 : 0, $_ == 503 ? 1 : 0, 'sealed is told');
}
$stub->answer($H, 200, '{"status":"ok"}');
result('health of something else', run('health', 'x'), $ERROR, 'VAULT');
$stub->answer($H, 502, '');
result('health 502', run('health', 'x'), $ERROR, 'VAULT');

# ---- the token file ----------------------------------------------------------

sub token_sent {
    $stub->answer($P, 200, $good);
    $stub->answer("GET $P", 200, $good);
    read_it();
    return ($stub->requests)[-1][3] =~ /^X-Vault-Token: (.*)\r$/m ? $1 : '';
}

$t->write_file('token.new', 'hvs.second', 0600);
rename $t->dir . '/token.new', $t->dir . '/token';
is(token_sent(), 'hvs.second', 'a replaced token file is read again');
$t->write_file('token', "hvs.third\r\n", 0600);
is(token_sent(), 'hvs.third', 'a changed one, too');
chmod 0644, $t->dir . '/token';
is(token_sent(), 'hvs.third', 'one that others can read is not');
like($t->log, qr/\[crit\].*must not be accessible to others.*former token/,
    'and that is logged');
unlink $t->dir . '/token';
is(token_sent(), 'hvs.third', 'a lost file keeps the token');
token_sent() for 1 .. 3;
is(scalar(() = $t->log =~ /token file ".*" is gone/g), 1, 'logged once');
$t->write_file('token', "bad\x01token\n", 0600);
is(token_sent(), 'hvs.third', 'a broken one, too');
$t->write_file('token', 'hvs.fourth', 0600);
is(token_sent(), 'hvs.fourth', 'and the next good one is used');

# ---- down, and nginx itself --------------------------------------------------

$stub->stop;
result('refused', read_it(), $ERROR, 'VAULT', qr/no connection/);
for (1 .. 3) { read_it() }

unlike($t->log, qr/S3cret|hvs\.|X-Vault-Token/, 'nothing secret in the log');
is($t->read_file('logs/access.log') =~ /_vault/, '', 'nor calls as accesses');
ok(!glob($t->dir . '/{proxy,body}/*/*/*'), 'no temporary files');

reload(more => 'return 404;');
result('nginx\'s own 404', read_it(), $ERROR, 'VAULT', qr/nginx answered itse/);
reload(more => 'return 200 "{}";');
result('nginx\'s own 200', read_it(), $ERROR, 'VAULT', qr/nginx answered itse/);
reload(more => 'lingering_close always;'
    . 'error_page 502 504 /e; location = /e { return 200 "{}"; }');
result('error_page', read_it(), $ERROR, 'VAULT', qr/no connection/);

$stub = AMT::Stub->new($t->port('vault'));
$stub->answer('*', 200, $good, delay => 3);
reload(params => 'timeout=500ms',
    changed('read_timeout 1s', 'read_timeout 30s'));
result('amt_vault timeout', read_it(), $ERROR, 'VAULT', qr/answer: timed out/);
unlike(($stub->requests)[-1][3], qr/X-Vault-Token/, 'no token configured');
$stub->stop;

# What every backend has to do
sub suite {
    my ($name) = @_;
    my $dev = 'devices/t' . $$;

    is(run('health', 'x')->{data}{sealed}, JSON::PP::false, "$name: health");
    result("$name: none", run('read', $dev), $DECLINED, 'NONE');
    result("$name: delete none", run('delete', $dev), $OK, 'NONE');
    is_deeply(run('list', 'nowhere')->{data}, [], "$name: empty list");
    result("$name: create", run('write', $dev, data => { A => 'b' }), $OK,
        'NONE');
    result("$name: must not exist", run('write', $dev, data => { A => 'c' }),
        $ERROR, 'CONFLICT');
    result("$name: write", run('write', $dev, data => { A => 'd' }, cas => 1),
        $OK, 'NONE');
    result("$name: merge", run('merge', $dev, data => { B => 'e' }), $OK,
        'NONE');
    $r = run('read', $dev);
    is_deeply($r->{data}, { A => 'd', B => 'e' }, "$name: read");
    is($r->{version}, 3, "$name: version");
    ok((grep { "devices/$_" eq $dev } @{run('list', 'devices')->{data}}),
        "$name: list");

    # several writers, one secret
    my @pids = map {
        my $n = $_;
        my $p = fork // die;
        if (!$p) {
            undef $t->{ua};
            my $x = run('merge', $dev, data => { "K$n" => "v$n" });
            POSIX::_exit(($x->{rc} // 1) == 0 ? 0 : 1);
        }
        $p;
    } 1 .. 3;
    waitpid $_, 0 for @pids;
    is(scalar(grep { /^K/ } keys %{run('read', $dev)->{data}}), 3,
        "$name: three writers at once lose nothing");

    return $dev;
}

# ---- a real server -----------------------------------------------------------

my ($bao) = grep { -x } map { ("$_/bao", "$_/vault") } split /:/, $ENV{PATH};
my ($address, $pid, $root) = ($ENV{TEST_VAULT_ADDR}, undef,
    $ENV{TEST_VAULT_TOKEN} || 'root');

if (!$address && $bao) {
    my $port = $t->port('bao');         # chosen here, the child has no say
    $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', $t->dir . '/bao.log';
        open STDERR, '>&', \*STDOUT;
        $ENV{HOME} = $t->dir;
        exec $bao, 'server', '-dev', '-dev-no-store-token',
            "-dev-root-token-id=$root", "-dev-listen-address=127.0.0.1:$port";
    }
    $address = "http://127.0.0.1:$port";
    $t->wait_for(sub { HTTP::Tiny->new(timeout => 5)
        ->get("$address/v1/sys/health")->{success} }, 60)
        or diag('no bao: ' . $t->read_file('bao.log'));
}

SKIP: {
    skip 'no Vault or OpenBao here', 22 unless $address;

    my $write = sub {
        my ($path, $body, $method) = @_;
        return HTTP::Tiny->new->request($method || 'POST', "$address$path",
            { headers => { 'X-Vault-Token' => $root }, content => $body });
    };
    (my $host = $address) =~ s{^http://}{};

    $t->write_file('token', $root, 0600);
    $upstream = $host;
    reload();
    $t->wait_for(sub { run('health', 'x')->{rc} == 0 });
    my $dev = suite('real');

    $write->("/v1/secret/data/$dev", '', 'DELETE');
    $r = run('read', $dev);
    result('real: deleted version', $r, $DECLINED, 'NONE');
    result('real: merge after it', run('merge', $dev, data => { N => 'n' }),
        $OK, 'NONE');
    is_deeply(run('read', $dev)->{data}, { N => 'n' }, 'real: a new start');
    result('real: delete', run('delete', $dev), $OK, 'NONE');
    result('real: gone', run('read', $dev), $DECLINED, 'NONE');
    result('real: can be made again', run('write', $dev, data => { A => 'b' }),
        $OK, 'NONE');
    run('delete', $dev);

    $t->write_file('token', 'wrong', 0600);
    result('real: wrong token', run('read', $dev), $ERROR, 'DENIED');
    $t->write_file('token', $root, 0600);

    skip 'not ours to seal', 2 unless $pid;

    $write->('/v1/sys/seal', '', 'PUT');
    result('real: sealed', run('read', $dev), $ERROR, 'SEALED');
    is(run('health', 'x')->{data}{sealed}, JSON::PP::true,
        'real: health while sealed');
}

if ($pid) { kill 'KILL', $pid; waitpid $pid, 0; }

# ---- the embedded one ----------------------------------------------------------

$t->write_file('ks.key', '0123456789abcdef' x 4 . "\n", 0600);
reload(params => '', location => <<'EOF');
    location ^~ /_vault/ {
        internal;
        amt_keystore %%DIR%%/ks.db key=%%DIR%%/ks.key;
    }
EOF

my $dev = suite('keystore');
result('keystore: delete', run('delete', $dev), $OK, 'NONE');
result('keystore: gone', run('read', $dev), $DECLINED, 'NONE');
result('keystore: can be made again', run('write', $dev,
    data => { A => 'z' x 200_000 }), $OK, 'NONE');
ok(length(run('read', $dev)->{data}{A} // '') == 200_000,
    'keystore: a certificate store of 200 KB fits');

$t->done;
