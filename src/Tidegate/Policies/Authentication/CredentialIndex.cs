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
/// Finds whom an API key belongs to. Keys are kept as 128-bit keyed hashes under a key of this index's own: a memory dump shows no API key, and
/// since callers cannot know the index's key, the time of a dictionary lookup tells them nothing about the stored hashes.
/// </summary>
internal sealed class CredentialIndex
{
    private readonly UInt128 _key = new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)), BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)));
    private readonly FrozenDictionary<UInt128, Consumer> _byHash;

    /// <summary>Hashes every key; the clear text is not kept.</summary>
    /// <exception cref="ArgumentException">A key is empty or belongs to two consumers; the compiler reports that before.</exception>
    public CredentialIndex(IEnumerable<ApiKeyCredential> credentials)
    {
        var entries = new Dictionary<UInt128, Consumer>();
        foreach (var credential in credentials)
        {
            if (credential.ApiKey.Length == 0)
            {
                throw new ArgumentException($"Consumer {credential.Consumer.Name} has an empty API key.");
            }

            if (!entries.TryAdd(SipHash.Compute(_key, Encoding.UTF8.GetBytes(credential.ApiKey)), credential.Consumer))
            {
                throw new ArgumentException($"An API key of consumer {credential.Consumer.Name} is given twice.");
            }
        }

        _byHash = entries.ToFrozenDictionary();
    }

    /// <summary>The key's owner, or null. Takes the same time for every key of one length.</summary>
    public Consumer? Find(ReadOnlySpan<byte> apiKey) =>
        apiKey.IsEmpty || _byHash.Count == 0 ? null : _byHash.GetValueOrDefault(SipHash.Compute(_key, apiKey));
}
