#!/usr/bin/perl
# signatures.pl DNS.json FILE...: verifies every DKIM signature of each mail with Perl's Mail::DKIM, which is not related to dkimpy. DNS.json
# holds the TXT records by name. Each mail needs a valid signature of each kind, and none of them may be void. Versions of Mail::DKIM
# that do not know Ed25519 yet (Debian 12 has one) are taught it here by the sum over the header, which is theirs, and CryptX's check
# of the signature. Needs: libmail-dkim-perl libcryptx-perl. Exit 1 if anything is wrong.
use strict;
use warnings;
use Crypt::PK::Ed25519;
use JSON::PP qw(decode_json);
use MIME::Base64 ();
use Mail::DKIM::PublicKey;
use Mail::DKIM::Signature;
use Mail::DKIM::Verifier;

my ($dns, @files) = @ARGV;
my $records = decode_json(slurp($dns));
my ($signatures, $wrong) = (0, 0);

{
    no warnings qw(redefine once);
    # Nothing is asked of a name server.
    *Mail::DKIM::PublicKey::fetch_async = sub {
        my ($class, %asked) = @_;
        my $record = $records->{"$asked{Selector}._domainkey.$asked{Domain}"};
        my $key = $record && $class->parse($record);
        if ($key) {
            @$key{qw(Selector Domain)} = @asked{qw(Selector Domain)};
            $key->check;
        }
        my $done = $asked{Callbacks}{Success};
        my $answer = $done ? $done->($key) : $key;
        return sub { $answer };
    };
}

unless (eval { require Mail::DKIM::Algorithm::ed25519_sha256; 1 }) {
    no warnings qw(redefine once);
    my ($check, $cork, $class_of, $hash_of) = (
        \&Mail::DKIM::PublicKey::check,
        Mail::DKIM::PublicKey->can('cork'),
        \&Mail::DKIM::Signature::get_algorithm_class,
        \&Mail::DKIM::Signature::hash_algorithm,
    );
    my $is = sub { ($_[0] // '') eq 'ed25519-sha256' };
    my $has = sub { ($_[0]->get_tag('k') // '') eq 'ed25519' };
    *Mail::DKIM::PublicKey::check = sub { $has->(@_) ? 1 : $check->(@_) };
    # It is only asked for its size, which for RSA alone says how strong it is.
    *Mail::DKIM::PublicKey::cork = sub { $has->(@_) ? bless({}, 'Judge::Ed25519') : $cork->(@_) };
    *Mail::DKIM::Signature::get_algorithm_class =
        sub { $is->($_[1]) ? 'Judge::Ed25519' : $class_of->(@_) };
    *Mail::DKIM::Signature::hash_algorithm = sub { $is->($_[0]->algorithm) ? 'sha256' : $hash_of->(@_) };

    package Judge::Ed25519;
    our @ISA = ('Mail::DKIM::Algorithm::rsa_sha256');

    sub size { 256 }

    sub verify {
        my $self = shift;
        my $raw = MIME::Base64::decode_base64($self->signature->get_public_key->data);
        my $key = Crypt::PK::Ed25519->new->import_key_raw($raw, 'public');
        my $signature = MIME::Base64::decode_base64($self->signature->data);
        # RFC 8463 section 3: the message that is signed is the hash.
        return unless $key->verify_message($signature, $self->{header_digest}->digest);
        return $self->check_body_hash;
    }
}

for my $file (@files) {
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT(slurp($file));
    $verifier->CLOSE;
    my %valid;
    for my $signature ($verifier->signatures) {
        $signatures++;
        my $result = $signature->result;
        if ($result eq 'pass') { $valid{ $signature->algorithm }++ }
        else { complain($file, $signature->algorithm . ': ' . $signature->result_detail) }
    }
    for my $kind (qw(rsa-sha256 ed25519-sha256)) {
        complain($file, "no valid $kind") unless $valid{$kind};
    }
}
print "dkim (Mail::DKIM): $signatures signatures, $wrong wrong, version $Mail::DKIM::Verifier::VERSION\n";
exit($wrong || !$signatures ? 1 : 0);

sub complain {
    my ($file, $what) = @_;
    print "$file: $what\n";
    $wrong++;
}

sub slurp {
    my ($path) = @_;
    open(my $file, '<:raw', $path) or die "$path: $!\n";
    local $/;
    return scalar <$file>;
}
