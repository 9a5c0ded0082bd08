using System.Security.Cryptography;
using NSec.Cryptography;
using Tidegate.Configuration;

namespace Tidegate.Dashboard.SignIn;

/// <summary>Argon2id (RFC 9106) of passwords.</summary>
internal static class Passwords
{
    // What OWASP asks for at least with one lane: some 20 ms of one core and 19 MiB for each guess.
    private const int MemoryKibibytes = 19 * 1024;
    private const int Passes = 2;
    private const int SaltBytes = 16;
    private const int HashBytes = 32;

    /// <summary>For the configuration.</summary>
    public static PasswordHash Hash(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        return new PasswordHash(MemoryKibibytes, Passes, salt, Derive(password, MemoryKibibytes, Passes, salt, HashBytes));
    }

    /// <summary>Whether a password is the one. Takes as long for a wrong one.</summary>
    public static bool Fits(string password, PasswordHash hash) =>
        CryptographicOperations.FixedTimeEquals(Derive(password, hash.MemoryKibibytes, hash.Passes, hash.Salt, hash.Hash.Length), hash.Hash);

    private static byte[] Derive(string password, int memoryKibibytes, int passes, byte[] salt, int bytes) =>
        PasswordBasedKeyDerivationAlgorithm
            .Argon2id(new Argon2Parameters { DegreeOfParallelism = 1, MemorySize = memoryKibibytes, NumberOfPasses = passes })
            .DeriveBytes(password, salt, bytes);
}
