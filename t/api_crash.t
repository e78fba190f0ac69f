#!/usr/bin/perl
# REST: a worker that dies between Vault and the store, or a store and a Vault
# that fail one after the other: what is left belongs to whom it belonged
# before, and the next call puts it right.

use strict;
use warnings;
use Test::More;
use AMT::Api;
use Time::HiRes qw(sleep);

plan skip_all => 'no sqlite3' unless `sqlite3 -version 2>/dev/null`;

my %key = %AMT::Api::key;
my ($t, $vault) = AMT::Api::start();
my $api = '/api/v1/devices';

sub guid { sprintf '143e4567-e89b-12d3-a456-%012x', $_[0] }
sub as { (key => $key{$_[0]}) }
sub secrets {
    my ($guid, $who) = @_;
    my $r = $t->get("/api/v1/admin/devices/$guid/secrets", as($who));
    return "$r->{status} $r->{body}";
}

# Another process holds the store's write lock while code runs.
my $hold;

sub hold {
    open $hold, '|-', 'sqlite3', "$t->{dir}/store/amt.db" or die "sqlite3: $!";
    $hold->autoflush;
    unlink "$t->{dir}/held";
    print $hold "BEGIN IMMEDIATE;\n.shell touch $t->{dir}/held\n";
    $t->wait_for(sub { -e "$t->{dir}/held" }) or die 'not held';
}

sub free {
    print $hold "ROLLBACK;\n.quit\n";
    close $hold;
}

# Sends a call, waits until code is true, kills the worker.
sub die_when {
    my ($method, $path, $who, $body, $code) = @_;
    my $s = $t->socket('http');

    syswrite $s, "$method $path HTTP/1.1\r\nHost: h\r\n"
        . "X-API-Key: $key{$who}\r\nConnection: close\r\n"
        . (defined $body ? "Content-Type: application/json\r\n"
            . 'Content-Length: ' . length($body) . "\r\n" : '')
        . "\r\n" . ($body // '');
    my $got = $t->wait_for($code);
    my $again = $t->kill_worker;
    is($t->exchange($s, '', 2), '', 'the client hears nothing');

    return $got && $again;
}

# ---- a new device: Vault has its passwords, the store not yet its row ----

my $g = guid(1);
hold();
ok(die_when('POST', $api, 'tenant', qq({"guid":"$g","mpsusername":"t",)
    . '"amtpassword":"Amt-of-T","mpspassword":"Mps-of-T"}',
    sub { $vault->get("devices/$g") }), 'died before the row was written');
free();

is($t->get("$api/$g", as('tenant'))->{status}, 404, 'there is no row');
is($t->post($api, as('other'), json => { guid => $g })->{status}, 201,
    'another tenant registers the GUID');
unlike(secrets($g, 'other'), qr/of-T/, 'and gets no passwords of the first');
is($t->delete("$api/$g?isSecretToBeDeleted=true", as('other'))->{status},
    204, 'deleted');

$g = guid(2);
hold();
ok(die_when('POST', $api, 'tenant', qq({"guid":"$g","mpsusername":"t",)
    . '"amtpassword":"Amt-of-T"}', sub { $vault->get("devices/$g") }),
    'died once more');
free();
is($t->post($api, as('tenant'), json => { guid => $g, mpsusername => 't',
    mpspassword => 'Mps-of-T' })->{status}, 201, 'the same tenant goes on');
like(secrets($g, 'tenant'), qr/"amtpassword":"Amt-of-T".*"Mps-of-T"/,
    'with what it had written');

# ---- passwords that cannot be put back stay their tenant's ----

$g = guid(3);
hold();
my $s = $t->socket('http');
my $body = qq({"guid":"$g","amtpassword":"Amt-of-T"});
syswrite $s, "POST $api HTTP/1.1\r\nHost: h\r\nX-API-Key: $key{tenant}\r\n"
    . "Connection: close\r\nContent-Type: application/json\r\n"
    . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
ok($t->wait_for(sub { $vault->get("devices/$g") }), 'written');
$vault->mode('sealed');
like($t->exchange($s, '', 20), qr{^HTTP/1.1 50[034]}, 'the row is not');
ok($t->log_wait(qr/they could not be put back: Vault: sealed/), 'said so');
$vault->mode('');
free();
is($t->post($api, as('other'), json => { guid => $g,
    mebxpassword => 'Mebx-of-U' })->{status}, 201, 'another tenant comes');
unlike(secrets($g, 'other'), qr/of-T/, 'and gets nothing of it');
like(secrets($g, 'other'), qr/"mebxpassword":"Mebx-of-U"/, 'but its own');

# ---- a change: the row is there all the time ----

$g = guid(4);
is($t->post($api, as('tenant'), json => { guid => $g, hostname => 'a',
    amtpassword => 'Amt-1', mpspassword => 'Mps-1' })->{status}, 201, 'made');
hold();
ok(die_when('PATCH', $api, 'tenant', qq({"guid":"$g","hostname":"b",)
    . '"amtpassword":"Amt-2"}', sub {
        ($vault->get("devices/$g") || {})->{AMT_PASSWORD} eq 'Amt-2' }),
    'died between the two');
free();
like(secrets($g, 'tenant'), qr/"amtpassword":"Amt-2","mpspassword":"Mps-1"/,
    'Vault has the new one and all others');
is($t->get("$api/$g", as('tenant'))->{json}{hostname}, 'a',
    'the row is as before');
is($t->patch($api, as('tenant'), json => { guid => $g, hostname => 'b',
    amtpassword => 'Amt-2' })->{json}{hostname}, 'b', 'the same call again');

# ---- a delete: the secret is gone, or marked, the row not ----

hold();
ok(die_when('DELETE', "$api/$g?isSecretToBeDeleted=true", 'tenant', undef,
    sub { !$vault->get("devices/$g") }), 'died after the secret was deleted');
free();
is($t->get("$api/$g", as('tenant'))->{status}, 200, 'the row is seen');
is($t->delete("$api/$g?isSecretToBeDeleted=true", as('tenant'))->{status},
    204, 'and can be deleted');

$g = guid(5);
is($t->post($api, as('tenant'), json => { guid => $g,
    amtpassword => 'Amt-of-T' })->{status}, 201, 'one more');
my $version = ($vault->get("devices/$g") || {})->{KEPT_FOR_TENANT} // '';
hold();
ok(die_when('DELETE', "$api/$g", 'tenant', undef, sub {
    ($vault->get("devices/$g")->{KEPT_FOR_TENANT} // '') ne $version }),
    'died after the secret was marked');
free();
is($vault->get("devices/$g")->{AMT_PASSWORD}, 'Amt-of-T',
    'the password is there');
is($t->patch($api, as('tenant'), json => { guid => $g, mpspassword => 'M' })
    ->{status}, 200, 'the device goes on');
is($vault->get("devices/$g")->{AMT_PASSWORD}, 'Amt-of-T', 'with it');

# ---- nothing of it is told ----

unlike($t->log . $t->read_file('logs/audit.log')
    . $t->read_file('logs/access.log'), qr/of-T|Amt-[12]|Mps-1/,
    'no password in any log');

$t->done;
