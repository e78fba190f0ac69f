#!/usr/bin/perl

# conf/amt-setup: what it makes, that it never overwrites, and what AMT needs
# of the certificates.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Fcntl qw(:mode);
use File::Temp qw(tempdir);
use Test::More;

my $setup = 'conf/amt-setup';
my $top = tempdir('amt-setup-XXXXXXXX', DIR => '/tmp', CLEANUP => 1);

sub slurp {
    my ($file) = @_;
    open my $f, '<', $file or return '';
    local $/;
    return scalar <$f> // '';
}

# (exit status, output) of amt-setup with these words; input goes to stdin
sub setup {
    my ($input, @args) = @_;

    open my $in, '>', "$top/stdin" or die;
    print $in $input // '';
    close $in;

    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', "$top/stdin";
        open STDERR, '>&', \*STDOUT;
        exec 'sh', $setup, @args or exit 127;
    }
    local $/;
    my $text = <$out> // '';
    close $out;

    return ($? >> 8, $text);
}

sub tree {
    my ($dir) = @_;
    opendir my $d, $dir or return {};
    return { map { ($_ => slurp("$dir/$_")) } grep { !/^\.\.?$/ } readdir $d };
}

sub mode { S_IMODE((stat $_[0])[2]) }
sub x509 { my ($file, @o) = @_; scalar qx{openssl x509 -in '$file' -noout @o} }

# ---- first set-up

my $dir = "$top/a dir";
my $cred = "$top/credentials";
my ($rc, $out) = setup('', $dir, '--name', 'mps.example.com',
    '--credentials', $cred, '--user', 'boss');

is($rc, 0, 'first set-up') or diag $out;
is(join(' ', sort keys %{tree($dir)}), 'api_keys jwt.key keystore.key mps.crt '
    . 'mps.key root.crt root.key users web.crt web.key', 'all files, no others');
is(mode("$dir/$_"), 0600, "$_ is private")
    for qw(api_keys jwt.key keystore.key mps.key root.key users web.key);
is(mode($dir), 0700, 'directory is private');
is(mode($cred), 0600, 'credentials are private');
ok(!-e "$dir/.new" && !-e "$dir/.lock", 'nothing is left over');

like(slurp("$dir/$_"), qr/^[0-9a-f]{64}\n\z/, "$_: 32 random bytes in hex")
    for qw(keystore.key jwt.key);
isnt(slurp("$dir/keystore.key"), slurp("$dir/jwt.key"), 'they differ');

# what was printed, what is in the credentials, what is stored

my %c = slurp($cred) =~ /^(\w+)='([^']*)'$/mg;
my ($key) = $out =~ /^api-key +boss (\S+)$/m;
my ($password) = $out =~ /^user +boss (\S+)$/m;

is($c{API_KEY}, $key, 'key in the credentials is the printed one');
is($c{ADMIN_PASSWORD}, $password, 'password too');
is($c{ADMIN_USER}, 'boss', 'user name');
is($c{CIRA_CA}, "$dir/root.crt", 'root certificate');
ok(length $key >= 43 && length $password >= 24, 'both are long');
like(slurp("$dir/api_keys"), qr/^boss:@{[sha256_hex($key)]}::all$/m,
    'only the digest of the key is stored');
unlike(slurp("$dir/api_keys"), qr/\Q$key/, 'the key is not');

my ($salt, $hash) = slurp("$dir/users") =~ m{^boss:(\$6\$[^\$]+)\$([^:]+)::all$}m;
ok($hash, 'sha512-crypt in users');
is(crypt($password, "$salt\$"), "$salt\$$hash", 'it is the hash of the password');

# the printed shell syntax can be used as such
is(qx{. '$cred'; printf %s "\$API_KEY"}, $key, 'credentials are shell syntax');

# ---- certificates, apf.md section 14.3

my $year = (gmtime)[5] + 1900;

for my $n (qw(mps web)) {
    my $crt = "$dir/$n.crt";
    my $text = x509($crt, '-text');

    like(x509($crt, '-subject', '-nameopt', 'RFC2253'),
        qr/^subject=CN=mps\.example\.com$/m, "$n: CN");
    like($text, qr/DNS:mps\.example\.com\s/, "$n: SAN equals CN");
    like($text, qr/Extended Key Usage:[^\n]*\n\s+TLS Web Server Auth[^,\n]*\n/,
        "$n: for servers only");
    like($text, qr/Public-Key: \(2048 bit\)/, "$n: RSA 2048");
    like($text, qr/Signature Algorithm: sha256WithRSA/, "$n: SHA-256");
    like($text, qr/Not Before: .* @{[$year - 1]} GMT/, "$n: from last year");
    like($text, qr/Not After : .* @{[$year + 30]} GMT/, "$n: for 30 years");
    is(() = slurp($crt) =~ /BEGIN CERTIFICATE/g, 2, "$n: leaf and root");
    like(qx{openssl verify -CAfile '$dir/root.crt' -verify_hostname mps.example.com -purpose sslserver '$crt' 2>&1},
        qr/: OK$/m, "$n: verifies");
    is(qx{openssl x509 -in '$crt' -noout -pubkey},
        qx{openssl pkey -in '$dir/$n.key' -pubout}, "$n: key belongs to it");
    ok(length(qx{openssl x509 -in '$crt' -outform DER}) < 4100,
        "$n: fits into AMT");
}

my $root = x509("$dir/root.crt", '-text');
my ($ski) = $root =~ /Subject Key Identifier:\s*\n\s+(\S+)/;
my $id = lc join '', (split /:/, $ski)[0 .. 2];
like($root, qr/Subject: CN ?= ?MPSRoot-$id$/m, 'root: named as the contract says');
like($root, qr/Basic Constraints: critical\s+CA:TRUE/, 'root: is a CA');
like($root, qr/Certificate Sign/, 'root: may sign');

# ---- again: nothing changes

my $before = tree($dir);
($rc, $out) = setup('', $dir, '--name', 'other.example.com',
    '--credentials', $cred);
is($rc, 0, 'second run');
is_deeply(tree($dir), $before, 'nothing was changed');
is(scalar(() = $out =~ /^made/mg), 0, 'nothing was made');
unlike($out, qr/api-key|shown once/, 'no secret was printed');

unlink "$dir/web.crt";
($rc, $out) = setup('', $dir, '--name', 'mps.example.com');
is($rc, 0, 'a missing certificate is made');
ok(slurp("$dir/web.key") eq $before->{'web.key'},
    'with the key that is there');
is(qx{openssl x509 -in '$dir/web.crt' -noout -pubkey},
    qx{openssl pkey -in '$dir/web.key' -pubout}, 'and belongs to it');

rename "$dir/root.key", "$top/root.key";
($rc, $out) = setup('', $dir);
is($rc, 3, 'a certificate without its key');
is(slurp("$dir/root.crt"), $before->{'root.crt'}, 'is not replaced');
rename "$top/root.key", "$dir/root.key";

unlink $cred;
($rc, $out) = setup('', $dir, '--credentials', $cred);
is($rc, 3, 'credentials cannot be made from hashes');
ok(!-e $cred, 'and are not');

# ---- more keys and users

($rc, $out) = setup('', $dir, 'api-key', 'ops', 'read,power', 'acme');
is($rc, 0, 'one more API key');
($key) = $out =~ /^api-key +ops (\S+)$/m;
is(slurp("$dir/api_keys"), $before->{api_keys} . 'ops:' . sha256_hex($key)
    . ":acme:read,power\n", 'is appended, the others stay');
is(mode("$dir/api_keys"), 0600, 'mode stays');

is((setup('', $dir, 'api-key', 'OPS', 'read'))[0], 3, 'a name is not reused');
is((setup('', $dir, 'api-key', 'x', 'read,writ'))[0], 2, 'unknown scope');
is((setup('', $dir, 'api-key', 'a:b', 'read'))[0], 2, 'colon in a name');
is((setup('', $dir, 'api-key', "a\nb", 'read'))[0], 2, 'line end in a name');
is((setup('', $dir, 'api-key', 'x', 'read', 'a*'))[0], 2, 'star in a tenant');
is((setup('', $dir, 'api-key', 'x', 'read', 'a:b'))[0], 2, 'colon in a tenant');
is((setup('', $dir, 'api-key', 'x'))[0], 2, 'no scopes');

chmod 0640, "$dir/users";
($rc, $out) = setup("p&ss w\$rd's\n", $dir, 'user', 'bob', 'read', '*',
    '--password-stdin');
is($rc, 0, 'a user with a given password');
unlike($out, qr/p&ss/, 'which is not printed');
is(mode("$dir/users"), 0640, 'mode stays');
($salt, $hash) = slurp("$dir/users") =~ m{^bob:(\$6\$[^\$]+)\$([^:]+):\*:read$}m;
is(crypt("p&ss w\$rd's", "$salt\$"), "$salt\$$hash", 'is stored as a hash');
is((setup("short\n", $dir, 'user', 'eve', '--password-stdin'))[0], 2,
    'a short password');

open my $f, '>>', "$dir/users"; print $f 'last:$6$a$b::read'; close $f;
is((setup('', $dir, 'user', 'carl'))[0], 0, 'after a line without line end');
like(slurp("$dir/users"), qr/^last:\$6\$a\$b::read\ncarl:\$6\$/m,
    'lines stay lines');

# ---- key rotation

is((setup('', $dir, 'rotate-keystore-key'))[0], 0, 'rotation');
like(slurp("$dir/keystore.key"), qr/^[0-9a-f]{64}\n\Q$before->{'keystore.key'}\E\z/,
    'new key first, the old one after it');

# ---- other shapes

my $big = "$top/big";
($rc, $out) = setup('', $big, '--name', '192.0.2.7', '--key-size', '3072');
is($rc, 0, '3072 bits');
for my $n (qw(root mps web)) {
    my $text = x509("$big/$n.crt", '-text');
    like($text, qr/\(3072 bit\)/, "$n: RSA 3072");
    like($text, qr/sha384WithRSA/, "$n: SHA-384");
}
like(x509("$big/mps.crt", '-text'), qr/IP Address:192\.0\.2\.7\s/,
    'an address becomes an IP SAN');
like(qx{openssl verify -CAfile '$big/root.crt' -verify_ip 192.0.2.7 '$big/mps.crt' 2>&1},
    qr/: OK$/m, 'and verifies');

# ---- usage

is((setup(''))[0], 2, 'no directory');
is((setup('', $dir, 'nonsense'))[0], 2, 'unknown command');
is((setup('', $dir, '--nonsense'))[0], 2, 'unknown option');
is((setup('', $dir, '--name'))[0], 2, 'option without value');
is((setup('', "$top/none", 'user', 'x'))[0], 2, 'command without directory');
is((setup('', "$top/b", '--name', 'a/CN=b'))[0], 2, 'a name that is none');
is((setup('', "$top/b", '--name', "a\nb"))[0], 2, 'a name of two lines');
is((setup('', "$top/b", '--name', 'x' x 65))[0], 2, 'a name that is too long');
is((setup('', "$top/b", '--key-size', '1024'))[0], 2, 'a small key');
is((setup('', "$top/b", '--user', '../x'))[0], 2, 'a bad user name');
is((setup('', "$top/\$b"))[0], 2, 'a path that openssl would expand');
is((setup('', '--help'))[0], 0, 'help');
mkdir "$dir/.lock";
is((setup('', $dir))[0], 1, 'two at once');

done_testing();
