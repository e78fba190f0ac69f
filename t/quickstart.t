#!/usr/bin/perl

# What the README promises: the demo, the gateway alone, the installation.

use strict;
use warnings;
use File::Path qw(remove_tree);
use Test::More;
use AMT::Test;

my $t = AMT::Test->new;
my $dir = $t->dir;

my $build = AMT::Test::build();
my $slow = AMT::Test::slow();

if (AMT::Test::variant()) {
    # a build directory whose modules are those of the variant, and an nginx
    # that is watched
    my $modules = AMT::Test::variant() eq 'asan' ? 'asan' : 'modules';
    mkdir "$dir/$_" for 'build', 'bin';
    symlink "$build/$modules", "$dir/build/modules" or die $!;
    symlink "$build/amtsim", "$dir/build/amtsim" or die $!;

    $t->write_file('bin/nginx', "#!/bin/sh\nexec "
        . join(' ', $t->watched(AMT::Test::packaged())) . ' "$@"' . "\n", 0755);
    %ENV = (%ENV, $t->sanitizers, AMT_BUILD => "$dir/build",
        PATH => "$dir/bin:$ENV{PATH}");
    $ENV{AMT_NGINX} = "$dir/bin/nginx"
        if $ENV{AMT_NGINX} || AMT::Test::variant() eq 'asan';
} else {
    $ENV{AMT_BUILD} = $build;
}
$ENV{AMT_HTTPS_PORT} = $t->port('https');
$ENV{AMT_CIRA_PORT} = $t->port('cira');
$ENV{AMT_RUN} = "$dir/run";

# ---- make demo ---------------------------------------------------------------

my $out = qx{timeout ${\ (60 * $slow)} conf/quickstart demo 2>&1};
is($?, 0, 'the demo ends well') or diag($out, $t->read_file('run/logs/error.log'));
like($out, qr/"powerstate":2/, 'it read the power state');
like($out, qr/"ReturnValue":0,"ReturnValueStr":"SUCCESS"/, 'it performed the action');
like($out, qr/"powerstate":8/, 'the PC is off');
like($out, qr/"action":"power\.action","guid":"4c4c4544-0044-4d10-8051-b1c04f423732"/,
    'the audit line is shown');
unlike($out, qr/mpspassword|amtpassword/, 'no password is shown');
ok(!-e "$dir/run/nginx.pid", 'nothing is left running');

my ($pw) = $t->read_file('run/amtsim.conf') =~ /^amt-password = (\S+)/m;
ok(length $pw && index($t->read_file('run/logs/error.log'), $pw) < 0,
    'the AMT password is not in the log');
my $found = qx{grep -rlF '$pw' $dir/run --include='*' 2>/dev/null};
is(join(' ', sort map { s{.*/}{}r } split ' ', $found), 'amtsim.conf',
    'and in no file of the gateway');

# ---- make run ----------------------------------------------------------------

my ($key) = $t->read_file('run/credentials') =~ /^API_KEY='?([^'\n]+)/m;
my ($user) = $t->read_file('run/credentials') =~ /^ADMIN_USER='?([^'\n]+)/m;
my ($password) = $t->read_file('run/credentials')
    =~ /^ADMIN_PASSWORD='?([^'\n]+)/m;
my ($ca) = $t->read_file('run/credentials') =~ /^CIRA_CA='?([^'\n]+)/m;
ok($key && $user && $password, 'credentials in shell syntax');
ok(-f $ca, 'the root certificate is where they say');
is((stat "$dir/run/credentials")[2] & 07777, 0600, 'they are for the owner');

my $pid = fork // die;
if (!$pid) {
    open STDOUT, '>', "$dir/run.out";
    open STDERR, '>&', \*STDOUT;
    exec 'conf/quickstart', 'run' or exit 127;
}
ok($t->wait_for(sub { $t->get('/api/v1/version')->{status} == 401
    || $t->get('/api/v1/version', key => $key)->{status} == 200 }, 15),
    'the gateway answers');
is($t->get('/api/v1/version')->{status}, 401, 'nobody without a key');
is($t->get('/api/v1/version', key => $key)->{status}, 200, 'its key works');
my $login = $t->post('/api/v1/authorize', json => { username => $user,
    password => $password });
is($login->{status}, 200, 'the admin user works');
is($t->get('/api/v1/devices', token => $login->{json}{token})->{json}[0]{hostname},
    'demo-pc', "the demo's device is still there");

my $listen = qx{ss -ltnH 2>/dev/null || netstat -ltn};
for my $p ($t->port('https'), $t->port('cira')) {
    my @on = grep { /:$p\s/ } split /\n/, $listen;
    ok(@on && !grep({ !/127\.0\.0\.1:$p\s/ } @on), "port $p on 127.0.0.1 only");
}

my $again = qx{timeout ${\ (10 * $slow)} conf/quickstart run 2>&1};
isnt($?, 0, 'a second one refuses to start');
like($again, qr/runs here already/, 'and says why');

kill 'TERM', $pid;
waitpid $pid, 0;
is($?, 0, 'it stops');
is(join("\n", $t->problems), '', 'no sanitizer reports');

# ---- make install ---------------------------------------------------------------

my $log = qx{make -s install DESTDIR=$dir/root BUILD=$build 2>&1};
is($?, 0, 'make install') or diag($log);
for my $f (qw(usr/lib/nginx/modules/ngx_stream_cira_module.so
    usr/lib/nginx/modules/ngx_http_amt_module.so etc/nginx/amt/api.conf
    etc/nginx/amt/tls-modern.conf etc/nginx/amt/tls-legacy.conf
    usr/sbin/amt-setup))
{
    ok(-s "$dir/root/$f", "installs $f");
}
my @enabled = map { $t->read_file($_) }
    glob "$dir/root/usr/share/nginx/modules-available/[67]0-mod-*.conf";
is(join('', @enabled), "load_module modules/ngx_stream_cira_module.so;\n"
    . "load_module modules/ngx_http_amt_module.so;\n",
    'and entries for modules-available, in their order');

# ---- the README's nginx.conf, as an operator copies it -------------------------

my $root = "$dir/root";
chmod 0711, $dir;
mkdir "$root/$_" for qw(run run/amt var var/lib var/lib/amt var/lib/nginx
    var/log var/log/nginx);
my @user = $> == 0 ? 'www-data' : ();
chown +(getpwnam 'www-data')[2, 3], "$root/var/lib/amt" if @user;

my ($readme) = $t->read_file("$t->{root}/README.md") =~ /^```nginx\n(.*?)^```/ms;
my $moved = qr{(?<=[ :=])/(?=(?:etc|run|var)/)};
my $keystore = $t->read_file('root/etc/nginx/amt/keystore.conf');
s/$moved/$root\//g for $readme, $keystore;
$t->write_file('root/etc/nginx/amt/keystore.conf', $keystore);

my %port = (443 => $t->port('readme'), 4433 => $t->port('readme_cira'));
$readme =~ s/listen (\d+) /listen 127.0.0.1:$port{$1} /g;
$readme =~ s{modules/(?=ngx_(?:stream_cira|http_amt)_)}{$root/usr/lib/nginx/modules/}g;
$readme =~ s/^load_module .*ngx_stream_module.*\n//m if $ENV{AMT_NGINX};
$readme =~ s/^user .*\n//m if !@user;
$readme =~ s/^http \{\n/join '', $&, map "${_}_temp_path $root\/run\/$_;\n",
    qw(client_body proxy fastcgi uwsgi scgi)/me;
$t->write_file('root/etc/nginx/nginx.conf',
    "pid $root/run/nginx.pid;\n$readme");

$log = qx{$root/usr/sbin/amt-setup $root/etc/nginx/amt --name localhost \\
    @{[map "--group $_", @user]} 2>&1};
is($?, 0, 'amt-setup') or diag($log);

my @nginx = ($ENV{AMT_NGINX} || 'nginx', '-c', "$root/etc/nginx/nginx.conf",
    '-e', "$root/var/log/nginx/error.log");
local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
$log = qx{@nginx -t 2>&1};
is($?, 0, "nginx -t with the README's nginx.conf") or diag($log);
unlike($log, qr/\[warn\]/, 'and no warning');

$pid = fork // die;
if (!$pid) {
    open STDERR, '>', "$dir/readme.out";
    exec @nginx, '-g', 'daemon off;' or exit 127;
}
my $curl = "curl -s --cacert $root/etc/nginx/amt/root.crt"
    . " https://localhost:$port{443}/api/v1";
ok($t->wait_for(sub { qx{$curl/health} =~ /"initialized":true/ }, 15),
    'its gateway is up, and has its keystore');
is(qx{$curl/version -o /dev/null -w '%{http_code}'}, 401, 'and is closed');
ok(-s "$root/var/lib/amt/$_", "$_ is where it says") for qw(amt.db keystore.db);
kill 'TERM', $pid;
waitpid $pid, 0;
is($?, 0, 'it stops');
unlike($t->read_file('root/var/log/nginx/error.log'), qr/\[(?:error|alert|emerg)\]/,
    'without an error');

$t->done;
