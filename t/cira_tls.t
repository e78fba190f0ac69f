#!/usr/bin/perl

# TLS of the snippets: which versions and suites devices get, no resumption of
# any kind, and handshakes that do not go on.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use AMT::Apf;
use AMT::Stub;
use AMT::Test;

$SIG{PIPE} = 'IGNORE';

my $t = AMT::Test->new;
my $slow = AMT::Test::slow();
my $pace = AMT::Test::pace();
my $stub = AMT::Stub->new($t->dir . '/hooks.sock');

$stub->answer('/auth', 204);
$t->certs;
$t->start(stream => <<"EOF");
    cira_path %%DIR%%/cira;
    cira_zone devices 1m;
    cira_auth http://unix:%%DIR%%/hooks.sock:/auth;
    cira_login_sessions 4;
    ssl_certificate %%DIR%%/mps.crt;
    ssl_certificate_key %%DIR%%/mps.key;

    server {
        listen 127.0.0.1:%%PORT:modern%% ssl;
        include %%ROOT%%/conf/amt/tls-modern.conf;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:legacy%% ssl;
        include %%ROOT%%/conf/amt/tls-legacy.conf;
        cira;
    }
    server {
        listen 127.0.0.1:%%PORT:quick%% ssl;
        ssl_handshake_timeout ${pace}s;
        cira;
    }
EOF

# "TLSv1.2 SUITE" of a device that logs in, or '' when TLS fails
sub try {
    my ($port, $version, $ciphers) = @_;
    my $d = AMT::Apf->connect($t->port($port), SSL_version => $version,
        $ciphers ? (SSL_cipher_list => "$ciphers:\@SECLEVEL=0") : ()) or return '';
    my $got = $d->{socket}->get_sslversion . ' ' . $d->{socket}->get_cipher;
    $d->login('admin', 'x') or $got .= ' no login';
    $d->close;
    return $got;
}

# ---- versions and suites ---------------------------------------------------------

# apf.md section 14: CSME 16 on; AMT 12 with static RSA; AMT 11
for (
    [ 'modern', 'TLSv1_3', undef, qr/^TLSv1_3 TLS_AES_256_GCM_SHA384$/ ],
    [ 'modern', 'TLSv1_2', undef, qr/^TLSv1_2 ECDHE-RSA-AES256-GCM-SHA384$/ ],
    [ 'modern', 'TLSv1_2', 'AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256',
        qr/^TLSv1_2 ECDHE-RSA-AES128-GCM-SHA256$/ ],
    [ 'modern', 'TLSv1_2', 'AES256-GCM-SHA384', qr/^TLSv1_2 AES256-GCM-SHA384$/ ],
    [ 'modern', 'TLSv1_2', 'AES128-GCM-SHA256', qr/^TLSv1_2 AES128-GCM-SHA256$/ ],
    [ 'modern', 'TLSv1_2', 'AES256-SHA', qr/^TLSv1_2 AES256-SHA$/ ],
    [ 'modern', 'TLSv1_2', 'AES128-SHA', qr/^TLSv1_2 AES128-SHA$/ ],
    [ 'modern', 'TLSv1_2', 'DES-CBC3-SHA:RC4-SHA:NULL-SHA:ADH-AES128-SHA', qr/^$/ ],
    [ 'modern', 'TLSv1_1', 'AES128-SHA', qr/^$/ ],
    [ 'modern', 'TLSv1', 'AES128-SHA', qr/^$/ ],
    [ 'legacy', 'TLSv1_2', undef, qr/^TLSv1_2 / ],
    [ 'legacy', 'TLSv1_1', 'AES128-SHA', qr/^TLSv1_1 AES128-SHA$/ ],
    [ 'legacy', 'TLSv1', 'AES128-SHA', qr/^TLSv1 AES128-SHA$/ ],
    [ 'legacy', 'TLSv1', 'AES256-SHA', qr/^TLSv1 AES256-SHA$/ ],
    [ 'legacy', 'TLSv1', 'NULL-SHA:NULL-MD5', qr/^$/ ],
    [ 'legacy', 'TLSv1', 'ADH-AES128-SHA:AECDH-AES128-SHA', qr/^$/ ],
    [ 'legacy', 'TLSv1_3', undef, qr/^$/ ],
) {
    my ($port, $version, $ciphers, $re) = @$_;
    like(try($port, $version, $ciphers), $re,
        "$port: $version " . ($ciphers // 'as the server likes'));
}

# ---- nothing is resumed ------------------------------------------------------------

for ([ 'modern', '-tls1_3' ], [ 'modern', '-tls1_2' ], [ 'legacy', '-tls1_2' ]) {
    my ($port, $version) = @$_;
    my $file = $t->dir . '/session';

    unlink $file;
    my $out = qx{sleep 0.5 | timeout 10 openssl s_client $version -connect \\
        127.0.0.1:@{[$t->port($port)]} -sess_out $file 2>&1};
    like($out, qr/Cipher is \S/, "$port, $version: a connection");
    unlike($out, qr/TLS session ticket|New Session Ticket arrived/i, 'without a ticket');
    unlike($out, qr/Session-ID: [0-9A-F]+\n/, 'nor an id to come back with');
    like($out, qr/Compression: NONE/, 'nor compression') if $version eq '-tls1_2';

    if (-s $file) {
        $out = qx{sleep 0.5 | timeout 10 openssl s_client $version -connect \\
            127.0.0.1:@{[$t->port($port)]} -sess_in $file 2>&1};
        like($out, qr/^New, /m, 'a session that is offered again is not taken');
    }
}

like($t->read_file("$t->{root}/conf/amt/tls-$_.conf"), qr/^ssl_handshake_timeout +15s;/m,
    "$_: a handshake has 15 s") for 'modern', 'legacy';

# ---- handshakes that stop -----------------------------------------------------------

my $hello = pack 'H*', '16030100c5010000c10303';
my @half = map { my $s = $t->socket('quick'); syswrite $s, $_ if length; $s }
    '', "\x16", $hello, $hello . 'x' x 50;
sleep 0.2 * $pace;
my $fifth = $t->socket('quick');
my $start = time;
ok(defined sysread($fifth, my $buf, 1) || 1, 'a fifth of the address');
cmp_ok(time - $start, '<', 0.7 * $pace, 'is closed at once');
like($t->log, qr/address has 4 logins in progress/, 'the log says why');

for (@half) {
    $t->exchange($_, '', 5 * $pace);
    ok(time - $start < 4 * $pace * $slow, 'a handshake that stops is closed');
}
ok($t->wait_for(sub { my $d = AMT::Apf->connect($t->port('quick'));
    my $good = $d && $d->login('admin', 'x'); $d->close if $d; $good }),
    'and counts no more');

$t->done;
