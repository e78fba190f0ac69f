#!/usr/bin/perl
# REST: the life of a request - HTTP/2, keepalive, clients that leave at any
# moment, a slow Vault, a locked store, reload and stop in the middle; and
# every route of the table without the right to call it.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Fcntl qw(:flock);
use Time::HiRes qw(sleep time);

my %key = %AMT::Api::key;
my $pace = AMT::Test::pace();
my ($t, $vault) = AMT::Api::start(
    users => 'mia:' . crypt('word', '$6$rounds=1000$saltsalt$') . "::all\n",
    listen => '127.0.0.1:%%PORT:http%%',
    http => 'amt_budget ' . (3 * $pace) . 's;',
    extra => "listen 127.0.0.1:%%PORT:https%% ssl http2;\n"
        . "ssl_certificate %%DIR%%/web.crt;\n"
        . "ssl_certificate_key %%DIR%%/web.key;\n"
        . 'location = /debug { amt_status; }');

my $api = '/api/v1';
my $guid = '143e4567-e89b-12d3-a456-426614174000';
my @http = (scheme => 'http', port => 'http');

sub as { (key => $key{$_[0]}) }
sub call { my ($m, $p, @o) = @_; return $t->request($m, $p, @http, @o) }

# ---- the route table itself: nothing without credentials or scope ----

my $source = join '', map { $t->read_file($_) }
    glob "$t->{root}/ngx_http_amt_module/mps/ngx_amt_routes_*.c";
my @routes = $source =~ /\{ NGX_HTTP_(\w+), "([^"]+)",\s+([^,]+), ([^,]+),/g;
my ($n, $bad) = (0, 0);
my %scope = (NGX_AMT_SCOPE_READ => 'reader', NGX_AMT_SCOPE_POWER => 'power',
    NGX_AMT_SCOPE_DEVICES => 'devices',
    NGX_AMT_SCOPE_REDIRECTION => 'redirection');
while (my ($method, $path, $scope, $flags) = splice @routes, 0, 4) {
    $path =~ s/:\w+/$guid/g;
    next if $flags =~ /OPEN/;
    $n++;
    is(call($method, "$api/$path")->{status}, 401, "$method $path: no key");
    next if $scope eq '0';
    for my $who (qw(reader power devices redirection)) {
        # keys of the table above may read as well, except "redirection"
        my $may = ($scope{$scope} // '') eq $who
            || ($scope eq 'NGX_AMT_SCOPE_READ' && $who ne 'redirection');
        my $status = call($method, "$api/$path", as($who), json => {})
            ->{status};
        $bad++, diag("$who: $method $path: $status")
            if ($status == 403) == !!$may;
    }
    # the wrong tenant learns nothing and changes nothing
    my $r = call($method, "$api/$path", as('other'), json =>
        { guid => $guid, action => 8, hostname => 'stolen' });
    $bad++, diag("other tenant: $method $path: $r->{status} $r->{body}")
        if $r->{body} =~ /"tenantId":"T"/;
}
cmp_ok($n, '>=', 15, 'routes were walked');
is($bad, 0, 'scopes are as the table says');

# ---- HTTP/2 ----

SKIP: {
    my $curl = `curl -V 2>/dev/null`;
    skip 'no curl with HTTP/2', 5 unless $curl =~ /HTTP2/;
    my $url = 'https://127.0.0.1:' . $t->port('https') . $api;
    my $curl2 = "curl -sk --http2 -m 20 -H 'X-API-Key: $key{admin}' "
        . "-w ' %{http_version} %{http_code}'";
    my $body = qq({"guid":"$guid","hostname":"h2"});

    like(`$curl2 -H 'Content-Type: application/json' -d '$body' $url/devices`,
        qr/"hostname":"h2".* 2 20[01]$/, 'POST');
    like(`$curl2 $url/devices/$guid`, qr/"hostname":"h2".* 2 200$/, 'GET');
    is(`$curl2 -I $url/devices/$guid -o /dev/null`, ' 2 200', 'HEAD');
    # no Content-Length
    $t->write_file('small', $body);
    my $json = "$curl2 -H 'Content-Type: application/json'";
    like(`$json -X PATCH -T - $url/devices < $t->{dir}/small`,
        qr/"hostname":"h2".* 2 200$/, 'PATCH without length');
    $t->write_file('large', '{"a":"' . 'x' x 200_000 . '"}');
    like(`$json -X PATCH -T - $url/devices < $t->{dir}/large`,
        qr/Payload Too Large.* 2 413$/, 'too large');
    like(`$json -d \@$t->{dir}/large $url/devices`,
        qr/Payload Too Large.* 2 413$/, 'too large, announced');

    # Several requests of one connection: those after the first have their
    # credentials from HPACK's table, which forgetting them must not touch
    my $write = "-w '[%{http_version} %{http_code} %{num_connects}]'";
    my $with = sub {
        my ($who, @of) = @_;
        return join ' --next ', map { "-sk --http2 -m 20 -H 'X-API-Key: $_'"
            . " $write -o /dev/null " . join ' ', @of ? @of : "$url/devices" }
            @$who;
    };
    my ($first, $next) = ('[2 200 1]', '[2 200 0]');
    is(qx{curl @{[$with->([($key{admin}) x 5])]}}, $first . $next x 4,
        'five requests of a connection');
    is(qx{curl @{[$with->([@key{qw(admin reader admin)}, 'wrong',
        @key{qw(admin reader)}])]}}, $first . $next x 2 . '[2 401 0]'
        . $next x 2, 'with keys in turn');
    my $post = "-sk --http2 -m 20 -H 'X-API-Key: $key{admin}' $write "
        . "-o /dev/null -H 'Content-Type: application/json' -d '$body' "
        . "$url/devices";
    is(qx{curl @{[join ' --next ', ($post) x 3]}}, $first . $next x 2,
        'bodies, too');
    my $token = $t->post("$api/authorize", @http,
        json => { username => 'mia', password => 'word' })->{json}{token};
    my $bearer = "-sk --http2 -m 20 -H 'Authorization: Bearer $token' $write "
        . "-o /dev/null $url/version";
    is(qx{curl @{[join ' --next ', ($bearer) x 3]}}, $first . $next x 2,
        'and tokens');

    # at once, multiplexed
    my @at_once = map { "-o /dev/null $url/devices" } 1 .. 40;
    is(join('', sort split /(?<=\])/,
        qx{curl -Z --parallel-max 40 -sk --http2 -m 20 $write -H 'X-API-Key: $key{admin}' @at_once 2>/dev/null}
            =~ s/ \d\]/]/gr), '[2 200]' x 40, 'forty at once');

    # streams that are reset
    $vault->mode('slow:0.3');
    for my $ms (1, 20, 50, 100, 200) {
        my $s = sprintf '%.3f', $ms / 1000 + 0.1 * ($pace - 1);
        `curl -sk --http2 -m $s -H 'X-API-Key: $key{admin}' $url/health`;
    }
    $vault->mode('');
    is(`$curl2 $url/version`, '{"serviceVersion":"2.34.1"} 2 200',
        'aborted streams did no harm');
}

# ---- clients that leave while Vault and store work ----

call('POST', "$api/devices", as('admin'), json => { guid => $guid,
    amtpassword => 'first' });
my $head = "HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{admin}\r\n";

sub leave {
    my ($method, $path, $body, $after, $how) = @_;
    my $s = $t->socket('http');
    syswrite $s, "$method $api/$path $head"
        . (length $body ? "Content-Type: application/json\r\nContent-Length: "
            . length($body) . "\r\n" : '') . "\r\n$body";
    sleep $after;
    setsockopt $s, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0
        if $how;
    close $s;
}

require Socket;
for my $mode ('', 'slow:0.02', 'slow:0.1') {
    $vault->mode($mode);
    for my $i (0 .. 11) {
        my $after = 0.004 * $i * ($mode ? 3 : 1);
        leave('PATCH', 'devices', qq({"guid":"$guid","hostname":"h$i",)
            . qq("amtpassword":"p$i"}), $after, $i % 2);
        leave('GET', 'health', '', $after, $i % 2);
        leave('GET', 'devices?$count=true', '', $after / 4, $i % 2);
        leave('DELETE', "devices/243e4567-e89b-12d3-a456-42661417400$i"
            . '?isSecretToBeDeleted=true', '', $after, 0) if $i < 10;
    }
}
$vault->mode('');

# what was begun is finished: row and secret belong together
sleep 0.5 * $pace;
$t->wait_for(sub { call('GET', '/debug')->{body} !~ /devices/ });
my $row = call('GET', "$api/devices/$guid", as('admin'))->{json};
my $secret = $vault->get("devices/$guid");
(my $h = $row->{hostname} // '') =~ s/^h//;
(my $p = $secret->{AMT_PASSWORD} // '') =~ s/^p//;
is($h, $p, 'row and secret were written together');
is(call('GET', "$api/version", as('admin'))->{status}, 200, 'well');
unlike(call('GET', '/debug')->{body}, qr/devices|health/,
    'no flow is left behind');

# ---- Vault is slower than the budget ----

$vault->mode('slow:' . 4 * $pace);
my $start = time;
my $r = call('PATCH', "$api/devices", as('admin'), json => { guid => $guid,
    amtpassword => 'late' });
like($r->{status}, qr/^(?:503|504)$/, 'Vault too slow');
cmp_ok(time - $start, '<', 12 * $pace, 'is bounded');
$r = call('GET', "$api/health");
is($r->{status}, 503, 'health') or diag $r->{body};
$vault->mode('');

# ---- the store is locked by another process ----

SKIP: {
    skip 'no sqlite3', 8 unless `sqlite3 -version 2>/dev/null`;
    my $db = "$t->{dir}/store/amt.db";
    my $pid = open my $sq, '|-', 'sqlite3', $db or die;
    my $old = select $sq; $| = 1; select $old;
    print $sq "BEGIN IMMEDIATE;\nUPDATE devices SET hostname='locked';\n";
    sleep 0.3;
    is(call('GET', "$api/devices/$guid", as('admin'))->{status}, 200,
        'locked store: reads go on');
    my $before = $vault->get("devices/$guid");
    $r = call('PATCH', "$api/devices", as('admin'), json => {
        guid => $guid, hostname => 'x', amtpassword => 'rolled' });
    like("$r->{status} $r->{body}", qr/^(?:500|503|504) /,
        'locked store: a write fails') or diag "$r->{status} $r->{body}";
    is_deeply($vault->get("devices/$guid"), $before,
        'and its password was put back');

    # another call has written the secret of a new device meanwhile
    my $new = '743e4567-e89b-12d3-a456-42661417400';
    my @s = map {
        my $body = qq({"guid":"$new$_","amtpassword":"mine"});
        my $s = $t->socket('http');
        syswrite $s, "POST $api/devices ${head}Connection: close\r\n"
            . "Content-Type: application/json\r\nContent-Length: "
            . length($body) . "\r\n\r\n$body";
        $s;
    } 0, 1;
    $t->wait_for(sub { $vault->get("devices/$new$_") }) for 0, 1;
    $vault->put("devices/${new}1", { AMT_PASSWORD => 'theirs' });
    like($t->exchange($_, '', 20), qr{^HTTP/1.1 50[034]},
        'locked store: a new row fails') for @s;
    is_deeply($vault->get("devices/${new}0") || {}, {},
        'and its password is gone');
    is_deeply($vault->get("devices/${new}1"), { AMT_PASSWORD => 'theirs' },
        'but not one that was written meanwhile');

    print $sq "ROLLBACK;\n.quit\n";
    close $sq;
    $r = $t->wait_for(sub {
        my $r = call('PATCH', "$api/devices", as('admin'), json => {
            guid => $guid, hostname => 'after' });
        $r->{status} == 200 && $r;
    });
    is($r->{json}{hostname}, 'after', 'unlocked: goes on');
}

# ---- reload and stop with requests under way ----

$vault->mode('slow:0.5');
my @s = map {
    my $s = $t->socket('http');
    syswrite $s, "GET $api/health ${head}Connection: close\r\n\r\n";
    $s;
} 1 .. 5;
sleep 0.2;
$t->reload;
my $ok = grep { $t->exchange($_, '') =~ m{^HTTP/1.1 200} } @s;
is($ok, 5, 'reload: requests under way are answered');
@s = map {
    my $s = $t->socket('http');
    my $body = qq({"guid":"54${_}e4567-e89b-12d3-a456-426614174000",)
        . '"amtpassword":"z"}';
    syswrite $s, "POST $api/devices ${head}Content-Type: application/json\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    $s;
} 1 .. 3;
sleep 0.2;
ok($t->stop('QUIT'), 'stopped in the middle');
my @got = map { $t->exchange($_, '', 1) } @s;
is(scalar(grep { m{^HTTP/1.1 201} } @got), 3,
    'stop: writes under way are finished and answered') or diag @got;
$vault->mode('');
is($vault->get("devices/54${_}e4567-e89b-12d3-a456-426614174000")
    ->{AMT_PASSWORD}, 'z', 'in Vault') for 1 .. 3;

AMT::Test::done();
