#!/usr/bin/perl

# Every directive of the device plane with values that are wrong, too large,
# missing or given twice: nginx -t says what, where and what to do, and leaves
# nothing behind.

use strict;
use warnings;
use Test::More;
use AMT::Test;

my $t = AMT::Test->new;

$t->certs;

my $path = 'cira_path %%DIR%%/cira;';
my $zone = 'cira_zone z 1m;';
my $auth = 'cira_auth http://unix:%%DIR%%/x:/auth;';
my $ssl = 'ssl_certificate %%DIR%%/mps.crt; ssl_certificate_key %%DIR%%/mps.key;';
my $long = 'x' x 120;
my $huge = 9 x 30;

# [ lines of stream{}, what nginx says, lines that stand beside them ]

for (
    [ 'cira_login_timeout -1;', qr/invalid value/ ],
    [ "cira_login_timeout ${huge}s;", qr/invalid value/ ],
    [ 'cira_login_timeout;', qr/invalid number of arguments/ ],
    [ 'cira_login_timeout 1s; cira_login_timeout 2s;', qr/is duplicate/ ],
    [ 'cira_login_buffer 65k;', qr/from 512 to 64k/ ],
    [ "cira_login_buffer $huge;", qr/invalid value/ ],
    [ 'cira_login_buffer 1k; cira_login_buffer 1k;', qr/is duplicate/ ],
    [ 'cira_login_messages 1001;', qr/between 4 and 1000/ ],
    [ "cira_login_messages $huge;", qr/invalid number/ ],
    [ 'cira_login_messages 4; cira_login_messages 4;', qr/is duplicate/ ],
    [ 'cira_keepalive 1s 2s; cira_keepalive 1s 2s;', qr/is duplicate/ ],
    [ 'cira_keepalive 2d 3d;', qr/up to a day/ ],
    [ "cira_keepalive 1s ${huge}s;", qr/invalid time/ ],
    [ 'cira_keepalive 0 500ms;', qr/than a second/ ],
    [ "cira_auth_retry ${huge}s;", qr/invalid value/ ],
    [ 'cira_auth_retry 1s; cira_auth_retry 1s;', qr/is duplicate/ ],
    [ 'cira_channels 1; cira_channels 1;', qr/is duplicate/ ],
    [ "cira_channels $huge;", qr/invalid number/ ],
    [ 'cira_queue 10001;', qr/between 1 and 10000/ ],
    [ 'cira_queue 1; cira_queue 1;', qr/is duplicate/ ],
    [ 'cira_queue_timeout 1s; cira_queue_timeout 1s;', qr/is duplicate/ ],
    [ "cira_queue_timeout ${huge}s;", qr/invalid value/ ],
    [ 'cira_window 64k; cira_window 64k;', qr/is duplicate/ ],
    [ 'cira_window 2m;', qr/from 32k to 1m/ ],
    [ "cira_window $huge;", qr/from 32k to 1m/ ],
    [ 'cira_window 64k redirection=;', qr/redirection size from 32k to 1m/ ],

    [ "cira_auth http://unix:/$long:/auth;", qr/longer than \d+ bytes/ ],
    [ 'cira_auth http://;', qr/starts with "http:\/\/"/ ],
    [ 'cira_auth http:///auth;', qr/no host/ ],
    [ 'cira_auth http://u:p@127.0.0.1/;', qr/has a user in its URL/ ],
    [ 'cira_auth;', qr/invalid number of arguments/ ],
    [ 'cira_auth http://name.invalid/;', qr/host not found/ ],
    [ 'cira_auth_timeout 0;', qr/must not be 0/, $auth ],
    [ 'cira_auth_timeout 1x;', qr/invalid value/, $auth ],
    [ 'cira_auth_timeout 1s; cira_auth_timeout 1s;', qr/is duplicate/, $auth ],
    [ "cira_auth_timeout ${huge}s;", qr/invalid value/, $auth ],
    [ 'cira_auth_failures 3 per 0 ban 1s;', qr/invalid number or time/ ],
    [ 'cira_auth_failures 1000001 per 1s ban 1s;', qr/invalid number or time/ ],
    [ "cira_auth_failures 1 per 1s ban ${huge}s;", qr/invalid number or time/ ],
    [ 'cira_auth_failures off; cira_auth_failures off;', qr/is duplicate/ ],
    [ 'cira_login_sessions -1;', qr/invalid number/ ],
    [ 'cira_login_sessions 1; cira_login_sessions 1;', qr/is duplicate/ ],
    [ "cira_notify http://unix:/$long:/n;", qr/longer than \d+ bytes/ ],
    [ 'cira_notify http://unix:/x; cira_notify http://unix:/x;',
        qr/is duplicate/ ],
    [ 'cira_notify_timeout 0;', qr/must not be 0/, $auth ],
    [ 'cira_notify_timeout 1s; cira_notify_timeout 1s;', qr/is duplicate/ ],
    [ 'cira_notify_batch 1001;', qr/between 1 and 1000/ ],
    [ 'cira_hooks_zone x;', qr/invalid value/, $auth ],
    [ 'cira_hooks_zone 1m; cira_hooks_zone 1m;', qr/is duplicate/, $auth ],

    [ 'cira_zone "" 1m;', qr/invalid zone name/ ],
    [ 'cira_zone z;', qr/invalid number of arguments/ ],
    [ "cira_zone z $huge;", qr/invalid zone size/ ],
    [ 'cira_path a; cira_path b;', qr/is duplicate/, $zone ],
    [ 'cira_path %%DIR%%/mps.crt;', qr/must be a directory/, $zone ],
    [ 'cira_duplicate 10 per 60s; cira_duplicate 10 per 60s;',
        qr/is duplicate/ ],
    [ "cira_duplicate $huge per 60s;", qr/invalid number/ ],
    [ "cira_duplicate 1 per ${huge}s;", qr/invalid time/ ],
    [ 'cira_duplicate;', qr/invalid number of arguments/ ],
    [ 'cira_drain x;', qr/invalid value/ ],
    [ 'cira_drain 1s; cira_drain 1s;', qr/is duplicate/ ],

    [ 'cira_connect_timeout 0;', qr/must not be 0/ ],
    [ 'cira_connect_timeout 1s; cira_connect_timeout 1s;', qr/is duplicate/ ],
    [ 'cira_connect_send_timeout x;', qr/invalid value/ ],
    [ 'cira_connect_allow;', qr/invalid number of arguments/ ],
    [ 'cira_connect_allow 4294967297;', qr/invalid user id "4294967297"/ ],
    [ 'cira_connect_allow 4294967295;', qr/invalid user id "4294967295"/ ],
    [ 'cira_connect_secret none;', qr/open\(\) \S*none" failed/ ],
    [ 'cira_connect_secret %%DIR%%;', qr/cannot be read/ ],

    # what a listener needs beside it
    [ "server { listen 127.0.0.1:1 ssl; $ssl cira; }",
        qr/"cira" in \S+:\d+ needs "cira_zone"/, $auth ],
    [ "server { listen 127.0.0.1:1 ssl; $ssl cira; }",
        qr/"cira" in \S+:\d+ needs "cira_auth"/, $zone ],
    [ "server { listen 127.0.0.1:1 ssl; $ssl cira; cira_connect; }",
        qr/conflicts with another handler/, "$zone $auth" ],
    [ "server { listen 127.0.0.1:1 ssl; $ssl cira_connect; cira; }",
        qr/beside another handler/, "$zone $auth" ],
    [ 'server { listen 127.0.0.1:1 udp; cira; }', qr/"cira".*needs the "ssl"/,
        "$zone $auth" ],
    [ 'cira;', qr/"cira" directive is not allowed here/ ],
    [ 'cira_connect;', qr/"cira_connect" directive is not allowed here/ ],
    [ "server { listen 127.0.0.1:1; return x; $zone }",
        qr/"cira_zone" directive is not allowed here/ ],
) {
    my ($line, $re, $beside) = @$_;
    my $has = $line =~ /cira_path/ ? '' : $path;
    my ($good, $text) = $t->check(stream => join "\n", $has, $beside // (),
        $line, 'server { listen 127.0.0.1:2; return x; }');

    ok(!$good && $text =~ /\[emerg\][^\n]*$re/, 'refused: '
        . substr $line, 0, 70) or diag($text);
    like($text, qr/ in \S*nginx\.conf:\d+/, 'and where')
        if !$good && $text !~ /\bfailed \(|invalid value/;
}

# ---- the largest that is taken ------------------------------------------------

for (
    "$zone cira_login_timeout 1d; cira_login_buffer 64k; cira_login_messages 1000;",
    "$zone cira_keepalive 1d 2d;",
    "$zone cira_keepalive 0 0;",
    "$zone cira_channels 64; cira_queue 10000; cira_window 1m redirection=1m;",
    "$zone cira_auth_failures 1000000 per 1d ban 1d; cira_login_sessions 0;",
    "$zone cira_connect_allow 0 65534 4294967294 root all;",
) {
    my ($good, $text) = $t->check(stream => "$path $auth $_");
    ok($good, 'taken: ' . substr $_, 0, 70) or diag($text);
}

# ---- nothing is left ------------------------------------------------------------

my ($good, $text) = $t->check(stream => <<"EOF");
    $path $zone $auth
    server { listen 127.0.0.1:%%PORT:cira%% ssl; $ssl cira; }
    server { listen unix:%%DIR%%/cira.sock; cira_connect; }
EOF
ok($good, 'a good configuration is taken') or diag($text);
is(join(' ', glob $t->dir . '/*.sock'), '', 'no socket is left');
is(join(' ', glob $t->dir . '/cira/*'), '', 'nor a private one');
unlike($text, qr/\[(?:warn|error|crit|alert)\]/, 'nothing to complain about');

done_testing();
