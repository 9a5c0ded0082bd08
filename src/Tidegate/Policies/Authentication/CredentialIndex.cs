using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>One key of one consumer, as the configuration gave it. Lives only while the index is built.</summary>
internal readonly record struct ApiKeyCredential(string ApiKey, Consumer Consumer)
{
    /// <inheritdoc/>
    public override string ToString() => $"an API key of {Consumer.Name}";
}

/// <summary>
/// Finds whom an API key belongs to. Keys are kept as HMAC-SHA-256 under a salt of this index's own: a memory dump shows no key, and
/// since callers cannot know the salt, the time of a dictionary lookup tells them nothing about the stored hashes.
/// </summary>
internal sealed class CredentialIndex
{
    private readonly byte[] _salt = RandomNumberGenerator.GetBytes(32);
    private readonly FrozenDictionary<ulong, Entry> _byHash;

    /// <summary>Hashes every key; the clear text is not kept.</summary>
    /// <exception cref="ArgumentException">A key is empty or belongs to two consumers; the compiler reports that before.</exception>
    public CredentialIndex(IEnumerable<ApiKeyCredential> credentials)
    {
        var entries = new Dictionary<ulong, Entry>();
        foreach (var credential in credentials)
        {
            if (credential.ApiKey.Length == 0)
            {
                throw new ArgumentException($"Consumer {credential.Consumer.Name} has an empty API key.");
            }

            var hash = HMACSHA256.HashData(_salt, Encoding.UTF8.GetBytes(credential.ApiKey));
            if (!entries.TryAdd(BinaryPrimitives.ReadUInt64LittleEndian(hash), new Entry(hash, credential.Consumer)))
            {
                throw new ArgumentException($"An API key of consumer {credential.Consumer.Name} is given twice.");
            }
        }

        _byHash = entries.ToFrozenDictionary();
    }

    /// <summary>The key's owner, or null. Takes the same time for every key of one length.</summary>
    public Consumer? Find(ReadOnlySpan<byte> apiKey)
    {
        if (apiKey.IsEmpty || _byHash.Count == 0)
        {
            return null;
        }

        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_salt, apiKey, hash);
        return _byHash.TryGetValue(BinaryPrimitives.ReadUInt64LittleEndian(hash), out var entry) && CryptographicOperations.FixedTimeEquals(entry.Hash, hash)
            ? entry.Consumer
            : null;
    }

    private sealed record Entry(byte[] Hash, Consumer Consumer);
}
