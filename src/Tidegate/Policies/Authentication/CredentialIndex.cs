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
/// Finds whom an API key belongs to. Only SHA-256 hashes are kept. Lookup goes by the presented key's hash, so the time it takes depends on
/// nothing that helps to guess a key; the found hash is then compared whole, in constant time.
/// </summary>
internal sealed class CredentialIndex
{
    // Longer than any key that is issued; hashing must not become work for us that costs the caller nothing.
    private const int MaxKeyBytes = 4096;

    private readonly Dictionary<ulong, List<(byte[] Hash, Consumer Consumer)>> _byPrefix = [];

    /// <summary>Hashes every key; the clear text is not kept. A key that two consumers share is an error that the compiler reports before.</summary>
    public CredentialIndex(IEnumerable<ApiKeyCredential> credentials)
    {
        foreach (var credential in credentials)
        {
            var hash = SHA256.HashData(Encoding.UTF8.GetBytes(credential.ApiKey));
            var prefix = BitConverter.ToUInt64(hash);
            if (!_byPrefix.TryGetValue(prefix, out var same))
            {
                _byPrefix.Add(prefix, same = []);
            }

            same.Add((hash, credential.Consumer));
        }
    }

    /// <summary>The consumer that this key identifies; null when it is nobody's.</summary>
    public Consumer? Find(ReadOnlySpan<byte> apiKey)
    {
        if (apiKey.IsEmpty || apiKey.Length > MaxKeyBytes || _byPrefix.Count == 0)
        {
            return null;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(apiKey, hash);
        if (_byPrefix.TryGetValue(BitConverter.ToUInt64(hash), out var candidates))
        {
            foreach (var (known, consumer) in candidates)
            {
                if (CryptographicOperations.FixedTimeEquals(hash, known))
                {
                    return consumer;
                }
            }
        }

        return null;
    }
}
