#!/usr/bin/perl

# amt_cira_hooks: who may ask, which device may connect, what its events do to
# the store, and what happens when store or Vault do not answer.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Temp;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Test;

my $key = 'the-key-of-this-test';
my $guid = '4c4c4544-0042-4a10-8057-b4c04f4e3132';
my $foreign = '4c4c4544-0042-4a10-8057-b4c04f4e3133';
my $bare = '4c4c4544-0042-4a10-8057-b4c04f4e3134';
my $half = '4c4c4544-0042-4a10-8057-b4c04f4e3135';

my $t = AMT::Test->new(user => 'www-data');
my $check = AMT::Test->new;

$t->write_file('api_keys', 'root:' . sha256_hex($key) . ":*:all\n", 0600);
$t->write_file('keystore.key', '0a' x 32 . "\n", 0600);
mkdir "$t->{dir}/store";
mkdir "$t->{dir}/cira", 0700;
if ($> == 0) {
    chown((getpwnam 'www-data')[2, 3], "$t->{dir}/store", "$t->{dir}/cira",
        "$t->{dir}/keystore.key");
    # the key file belongs to root or to who runs nginx
    chown 0, 0, "$t->{dir}/keystore.key";
}

my $main = <<'EOF2';
thread_pool amt_read threads=2;
thread_pool amt_write threads=1;
EOF2

my $store = 'amt_store sqlite:%%DIR%%/store/amt.db;';
my $keystore = 'amt_keystore %%DIR%%/store/keystore.db '
    . 'key=%%DIR%%/keystore.key;';
my $proxy = 'proxy_pass http://vault/v1/; proxy_http_version 1.1; '
    . 'proxy_set_header Connection ""; proxy_buffering off; '
    . 'proxy_max_temp_file_size 0; proxy_connect_timeout 1s; '
    . 'proxy_read_timeout 1s; subrequest_output_buffer_size 256k;';

sub conf {
    my (%o) = @_;

    return (main => $main, stream => $o{stream} // '', http => <<EOF2);
    @{[$o{store} // $store]}
    amt_vault /_vault/ secret;
    amt_api_keys %%DIR%%/api_keys;
    amt_instance here;
    upstream vault { server 127.0.0.1:%%PORT:vault%%; keepalive 4; }
    server {
        listen 127.0.0.1:%%PORT:http%%;
        include %%ROOT%%/conf/amt/api.conf;
    }
    server {
        listen unix:%%DIR%%/amt.sock;
        location /_cira/ { amt_cira_hooks; }
        location /other { return 200 "not the hooks"; }
        location /_vault/ { internal; @{[$o{vault} // $keystore]} }
    }
EOF2
}

# ---- requests over the unix socket

my $sock = "unix:$t->{dir}/amt.sock";

sub hook {
    my ($uri, $body, %o) = @_;
    my $method = $o{method} || 'POST';

    $body = JSON::PP->new->utf8->canonical->encode($body) if ref $body;
    my $s = $t->socket($sock) or return { status => 0, body => '' };
    my $answer = $t->exchange($s, "$method $uri HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nContent-Type: application/json\r\n"
        . (defined $o{length} ? "Content-Length: $o{length}\r\n"
            : 'Content-Length: ' . length($body) . "\r\n")
        . "\r\n$body", $o{time} || 15);
    my ($status) = $answer =~ m{^HTTP/1.1 (\d+)};
    my ($text) = $answer =~ /\r\n\r\n(.*)\z/s;

    return { status => $status || 0, body => $text // '' };
}

sub login {
    my (%o) = @_;
    return hook('/_cira/auth', { guid => $guid, user => 'admin',
        password => 'Mps-Secret1', address => '192.0.2.1', tls => 'TLSv1.2',
        cipher => 'x', verified => JSON::PP::false, %o });
}

my $seq = 0;
sub event {
    my ($type, %o) = @_;
    return { seq => ++$seq, type => $type, guid => $guid, generation => 10,
        tenant => '', address => '192.0.2.1', time => 1700000000000, %o };
}

sub notify { hook('/_cira/notify', { worker => '1', events => [ @_ ] }) }

sub device {
    my ($g, $tenant) = @_;
    my $r = $t->get('/api/v1/devices/' . ($g || $guid)
        . ($tenant ? "?tenantId=$tenant" : ''), key => $key);
    return $r->{json} || {};
}

sub add {
    my ($g, %o) = @_;
    my $r = $t->post('/api/v1/devices', key => $key, json => { guid => $g,
        hostname => 'h', mpsusername => 'admin', %o });
    is($r->{status}, 201, 'device is made') or diag $r->{body};
}

# ---- nginx -t

{
    my %c = conf(vault => $keystore =~ s/%%DIR%%/$t->{dir}/gr);
    $c{http} =~ s/%%DIR%%/$t->{dir}/g;
    $c{http} =~ s{(listen unix:)}{listen 127.0.0.1:%%PORT:tcp%%; $1};
    my ($ok, $out) = $check->check(%c);
    ok(!$ok && $out =~ /"amt_cira_hooks" in \S+:\d+ is reachable through "listen 127\.0\.0\.1:\d+"/,
        'nginx -t: a TCP listener is refused') or diag $out;

    $c{http} =~ s/listen 127[^;]+;( listen unix)/$1/;
    $c{http} =~ s/amt_cira_hooks;/amt_cira_hooks; client_body_in_file_only on;/;
    ($ok, $out) = $check->check(%c);
    ok(!$ok && $out =~ /client_body_in_file_only/,
        'nginx -t: bodies in files are refused') or diag $out;
}

# ---- who may ask

$t->start(conf());

is(hook('/_cira/auth', '', method => 'GET')->{status}, 405, 'GET');
is(hook('/_cira/other', '{}')->{status}, 404, 'unknown hook');
is(hook('/_cira/auth/', '{}')->{status}, 404, 'a slash too much');
is(hook('/_cira/auth', '')->{status}, 400, 'no body');

sub as_user {
    my ($user, $code) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        my ($uid, $gid) = (getpwnam $user)[2, 3];
        POSIX::setgid($gid);
        POSIX::setuid($uid);
        print $code->();
        POSIX::close(1) if !close STDOUT;
        POSIX::_exit(0);
    }
    local $/;
    return scalar <$out>;
}

SKIP: {
    skip 'needs root', 4 if $> != 0;
    is(as_user('nobody', sub { login()->{status} }), 403,
        'another user may not ask');
    is(as_user('nobody', sub { hook('/other', '')->{status} }), 200,
        'although the socket is open to everybody');
    is(as_user('www-data', sub { login()->{status} }), 403,
        'the workers\' user may (and the device is not known yet)');
    like($t->log, qr/asked by process \d+ of user 65534/, 'and it is logged');
}

# ---- which device may connect

is(login()->{status}, 403, 'no row');

add($guid, mpspassword => 'Mps-Secret1', amtpassword => 'Amt-Secret1');
my $r = login();
is($r->{status}, 200, 'right user and password');
is($r->{body}, '{"tenant":""}', 'with the tenant of the row');
is(login(guid => uc $guid)->{status}, 200, 'letter case of the GUID');

is(login(password => 'Mps-Secret2')->{status}, 403, 'wrong password');
is(login(password => 'Mps-Secret')->{status}, 403, 'cut password');
is(login(password => 'Mps-Secret11')->{status}, 403, 'longer password');
is(login(password => 'mps-secret1')->{status}, 403, 'letter case of a password');
is(login(password => '')->{status}, 403, 'empty password');
is(login(password => 'Amt-Secret1')->{status}, 403, 'the AMT password');
is(login(user => 'Admin')->{status}, 403, 'letter case of the user');
is(login(user => '')->{status}, 403, 'empty user');
is(login(guid => $foreign)->{status}, 403, 'credentials of another device');

$r = $t->post('/api/v1/devices', key => $key, json => { guid => $foreign,
    hostname => 'f', mpsusername => 'admin', tenantId => 'acme',
    mpspassword => 'Other-Secret1', amtpassword => 'Amt-Secret1' });
is($r->{status}, 201, 'a device of a tenant');
is(login(guid => $foreign, password => 'Other-Secret1')->{body},
    '{"tenant":"acme"}', 'is let in with its tenant');

add($bare);
is(login(guid => $bare, password => $_)->{status}, 403,
    "no secret in Vault: \"$_\" does not match") for '', 'null', 'undefined';
add($half, mpspassword => 'Half-Secret1');
is(login(guid => $half, password => 'Half-Secret1')->{status}, 403,
    'no AMT_PASSWORD in Vault');

# ---- malformed

for ([ 'no JSON', 'x' ], [ 'an array', '[]' ], [ 'text after it', '{} {}' ],
    [ 'no password', qq({"guid":"$guid","user":"admin"}) ],
    [ 'password null', qq({"guid":"$guid","user":"admin","password":null}) ],
    [ 'password twice', qq({"guid":"$guid","user":"admin","password":"x",)
        . '"password":"Mps-Secret1"}' ],
    [ 'a path as GUID', '{"guid":"../../x","user":"a","password":"b"}' ],
    [ 'deep', '[' x 5000 ], [ 'large', '{"x":"' . 'x' x 20000 . '"}' ])
{
    is(hook('/_cira/auth', $_->[1])->{status}, 400, "auth: $_->[0]");
}
is(hook('/_cira/notify', $_->[1])->{status}, 400, "notify: $_->[0]")
    for [ 'no JSON', 'x' ], [ 'no events', '{}' ],
    [ 'an event without GUID', '{"events":[{"seq":1,"type":"seen"}]}' ];
is(hook('/_cira/notify', '', length => 5_000_000, time => 1)->{status}, 413,
    'notify: a body of 5 MB');

# ---- events

is(device()->{connectionStatus}, JSON::PP::false, 'not connected at first');
is(notify(event('connected'))->{status}, 204, 'connected');
my $d = device();
is($d->{connectionStatus}, JSON::PP::true, 'is in the row');
is($d->{mpsInstance}, 'here', 'with the instance');
is($d->{lastConnected}, '2023-11-14T22:13:20.000Z', 'and the time');
is(notify(event('seen', time => 1700000030000))->{status}, 204, 'seen');
is(device()->{lastSeen}, '2023-11-14T22:13:50.000Z', 'is in the row');

is(notify(event('disconnected', generation => 9, time => 1700000040000))
    ->{status}, 204, 'the end of an older connection');
is(device()->{connectionStatus}, JSON::PP::true, 'changes nothing');

my @batch = (event('disconnected', time => 1700000050000),
    event('connected', generation => 11, time => 1700000060000),
    event('connected', guid => $foreign, generation => 12,
        time => 1700000060001),
    event('connected', guid => '4c4c4544-0042-4a10-8057-ffffffffffff'),
    event('alert', reason => "boo\n\x1b[31m\x{e4}"),
    event('quarantine', reason => 'two of them'),
    { seq => ++$seq, type => 'of tomorrow' });
is(notify(@batch)->{status}, 204, 'a batch of all types');
my @once = (device(), device($foreign, 'acme'));
is($once[0]{lastConnected}, '2023-11-14T22:14:20.000Z', 'is in the row');
is($once[0]{lastDisconnected}, '2023-11-14T22:14:10.000Z', 'completely');
is($once[1]{connectionStatus}, JSON::PP::true, 'of other tenants, too');
like($t->log, qr/device $guid at 192\.0\.2\.1: alert: boo\?\?\[31m\?/,
    'an alert is logged, its text is harmless');
like($t->log, qr/device $guid at 192\.0\.2\.1: quarantine: two of them/,
    'a quarantine is logged');

is(notify(@batch)->{status}, 204, 'the same batch again');
is_deeply([ device(), device($foreign, 'acme') ], \@once, 'changes nothing');
is(notify()->{status}, 204, 'an empty batch');

my $many = 1000;
is(notify(map { event('seen', generation => 11, time => 1700000070000 + $_) } 1 .. $many)
    ->{status}, 204, "$many events");
is(device()->{lastSeen}, '2023-11-14T22:14:31.000Z', 'the last one counts');

# a locked store: reads go on, events are refused and come again

SKIP: {
    skip 'needs sqlite3', 4 if system('which sqlite3 >/dev/null 2>&1');
    my $pid = open(my $db, '|-', 'sqlite3', "$t->{dir}/store/amt.db") or die;
    $db->autoflush(1);
    print $db "BEGIN IMMEDIATE;\n.shell touch $t->{dir}/locked\n";
    ok($t->wait_for(sub { -e "$t->{dir}/locked" }), 'store is locked');
    is(notify(event('seen', generation => 11, time => 1700000075000))
        ->{status}, 503, 'events are refused');
    is(login()->{status}, 200, 'logins go on');
    close $db;
    is(notify(event('seen', generation => 11, time => 1700000075000))
        ->{status}, 204, 'and taken afterwards');
}

unlike($t->log, qr/Secret/, 'no password in the log');

# ---- a client that goes away

for my $n (1 .. 20) {
    my $s = $t->socket($sock);
    my $body = encode_json({ guid => $guid, user => 'admin', password => 'x' });
    $s->syswrite("POST /_cira/auth HTTP/1.1\r\nHost: x\r\nContent-Length: "
        . length($body) . "\r\n\r\n" . substr $body, 0, $n * 6);
    close $s;
}
is(login()->{status}, 200, 'clients that go away do no harm');

# ---- Vault does not answer: 503, never 403

$t->stop;
$t->start(conf(vault => $proxy));
is(login()->{status}, 503, 'Vault is down');
is(login(guid => '4c4c4544-0042-4a10-8057-ffffffffffff')->{status}, 503,
    'for an unknown device as well');
is(notify(event('seen', generation => 11, time => 1700000080000))->{status},
    204, 'events do not need it');

my $vault = vault();
is(login()->{status}, 200, 'Vault is back');
vault_says(503, '{"errors":["Vault is sealed"]}');
is(login()->{status}, 503, 'Vault is sealed');
vault_says(403, '{"errors":["permission denied"]}');
is(login()->{status}, 503, 'Vault denies: 503, the device is not to blame');
vault_says(200, 'not JSON');
is(login()->{status}, 503, 'Vault talks nonsense');
vault_says(404, '{"errors":[]}');
is(login()->{status}, 403, 'Vault has no secret');
vault_says(200, '{"data":{"data":{"MPS_PASSWORD":"","AMT_PASSWORD":"x"},"metadata":{"version":1}}}');
is(login(password => '')->{status}, 403, 'an empty secret matches nothing');
vault_says(200, '{"data":{"data":{"MPS_PASSWORD":7,"AMT_PASSWORD":"x"},"metadata":{"version":1}}}');
is(login(password => '7')->{status}, 403, 'a number matches nothing');
vault_says(200, '{"data":{"data":{"MPS_PASSWORD":"Mps-Secret1"},'
    . '"metadata":{"version":1}}}');
is(login()->{status}, 403, 'no AMT_PASSWORD');
vault_says('hang', '');
is(login()->{status}, 503, 'Vault hangs');
like($t->log, qr/CIRA login of $guid cannot be decided/, 'the cause is logged');
kill 'TERM', $vault;
waitpid $vault, 0;
$t->stop;

# ---- the store does not answer

$t->start(conf(store => ''));
is(login()->{status}, 503, 'no store: 503');
is(notify(event('seen'))->{status}, 503, 'no store: events come again');
$t->stop;

# ---- after a kill: rows that say "connected" for devices that are not

$t->start(conf(stream => <<'EOF2'));
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF2
is(device()->{connectionStatus}, JSON::PP::true, 'row of before the kill');
ok($t->wait_for(sub { sleep 0.2; !device()->{connectionStatus} }, 12),
    'is corrected after the start');
$d = device();
is($d->{mpsInstance}, undef, 'without instance');
is($d->{lastDisconnected}, $once[0]{lastDisconnected}, 'without a date');
$t->stop;

$t->done;

# ---- a Vault whose answer is in a file

sub vault_says {
    my ($status, $body) = @_;
    my $file = "$t->{dir}/vault";
    $t->write_file("$file.new", "$status\n$body");
    rename "$file.new", $file;
}

sub vault {
    vault_says(200, '{"data":{"data":{"MPS_PASSWORD":"Mps-Secret1",'
        . '"AMT_PASSWORD":"Amt-Secret1"},"metadata":{"version":1}}}');

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $t->port('vault'), Listen => 16, ReuseAddr => 1)
        or die "listen: $!";
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    $SIG{TERM} = sub { POSIX::_exit(0) };
    my @hung;
    while (my $c = $listen->accept) {
        my $head = '';
        while ($head !~ /\r\n\r\n/) {
            sysread $c, $head, 4096, length $head or last;
        }
        my ($status, $body) = split /\n/, $t->read_file('vault'), 2;
        if ($status eq 'hang') {
            push @hung, $c;
            next;
        }
        syswrite $c, "HTTP/1.1 $status X\r\nContent-Type: application/json\r\n"
            . 'Content-Length: ' . length($body)
            . "\r\nConnection: close\r\n\r\n$body";
        close $c;
    }
    POSIX::_exit(0);
}
