using System.Text;
using Tidegate.Exchanges;

namespace Tidegate.Policies.Credential;

/// <summary>The field that carries an API's credential.</summary>
/// <param name="header">Its name, for example <c>Authorization</c>.</param>
/// <param name="requiresTls">Refuse plain <c>http</c> targets: true for egress APIs without <c>upstream</c>, where the caller's URL decides whether the secret crosses the network in the clear.</param>
internal sealed class CredentialField(string header, bool requiresTls)
{
    /// <summary>For what would cross the network in the clear.</summary>
    private static readonly Rejection NeedsTls = new(
        "credential", "credential_needs_tls", 403, "This API's credential is only sent over TLS. Call the https URL.");

    private const string InTunnel = "skipped: a tunnel carries no header fields of ours";

    private readonly byte[] _name = Encoding.ASCII.GetBytes(header);

    public string Header => header;

    /// <summary>Refuses a request with which the value would cross the network in the clear.</summary>
    /// <returns>Whether it is refused.</returns>
    public bool Refuses(Exchange exchange)
    {
        if (IsExposed(exchange))
        {
            exchange.Reject(NeedsTls);
            return true;
        }

        return false;
    }

    /// <summary>Why it is not put there; null when it is.</summary>
    public PolicyExplanation? ExplainAbsence(Exchange exchange) =>
        exchange.IsTunnel ? new PolicyExplanation(InTunnel)
        : IsExposed(exchange) ? new PolicyExplanation($"refused with {NeedsTls.Status} {NeedsTls.Code}", NeedsTls)
        : null;

    /// <summary>Puts a value there; whatever the client, or an attempt before, has put there is gone.</summary>
    public void Set(HeaderList fields, ReadOnlySpan<byte> value)
    {
        RemoveClients(fields);
        fields.Add(_name, value);
    }

    private bool IsExposed(Exchange exchange) => requiresTls && !exchange.Target.IsSecure;

    /// <summary>Also in the spelling with underscores, which some servers cannot tell from ours (RFC 3875 4.1.18).</summary>
    private void RemoveClients(HeaderList fields)
    {
        for (var i = fields.Count - 1; i >= 0; i--)
        {
            if (fields[i].Name.Length == _name.Length && IsSame(fields[i].Name))
            {
                fields.RemoveAt(i);
            }
        }
    }

    private bool IsSame(ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < name.Length; i++)
        {
            if (Fold(name[i]) != Fold(_name[i]))
            {
                return false;
            }
        }

        return true;
    }

    private static int Fold(byte letter) => letter == '_' ? '-' : char.IsAsciiLetterUpper((char)letter) ? letter | 0x20 : letter;
}
