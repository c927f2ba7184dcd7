// The Nimbus SDK as a client of profile national: registers itself, private_key_jwt by PS256, pushes, DPoP, an ID token encrypted to its key, userinfo, refresh, revocation,
// logout. Run: HUFU_TEST=... java -cp 'lib/*' Rely.java. It talks as lib.mjs does: a line {"check": name, "ok": bool, "got": ...} is a result, {"do": ...} asks
// the test, whose answer is one line on standard input.
import com.nimbusds.jose.EncryptionMethod;
import com.nimbusds.jose.JWEAlgorithm;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.JWEDecryptionKeySelector;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jwt.EncryptedJWT;
import com.nimbusds.jwt.JWT;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.oauth2.sdk.*;
import com.nimbusds.oauth2.sdk.auth.*;
import com.nimbusds.oauth2.sdk.dpop.DPoPProofFactory;
import com.nimbusds.oauth2.sdk.dpop.DefaultDPoPProofFactory;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.http.HTTPResponse;
import com.nimbusds.oauth2.sdk.id.*;
import com.nimbusds.oauth2.sdk.pkce.CodeChallengeMethod;
import com.nimbusds.oauth2.sdk.pkce.CodeVerifier;
import com.nimbusds.oauth2.sdk.token.*;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import com.nimbusds.openid.connect.sdk.*;
import com.nimbusds.openid.connect.sdk.claims.AccessTokenHash;
import com.nimbusds.openid.connect.sdk.claims.IDTokenClaimsSet;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import com.nimbusds.openid.connect.sdk.rp.*;
import com.nimbusds.openid.connect.sdk.validators.AccessTokenValidator;
import com.nimbusds.openid.connect.sdk.validators.IDTokenValidator;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import net.minidev.json.JSONObject;

public class Rely {
    static final BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    static void say(Map<String, Object> line) {
        System.out.println(JSONObject.toJSONString(line));
        System.out.flush();
    }

    static void equal(String name, Object got, Object want) {
        say(Map.of("check", name, "ok", Objects.equals(got, want), "got", got + ", want " + want));
    }

    // refused checks that an answer is an error of this code: the negative twin of a step that worked.
    static void refused(String name, String code, HTTPResponse answer) {
        String text = answer.getStatusCode() + " " + answer.getWWWAuthenticate() + " " + answer.getBody();
        say(Map.of("check", name, "ok", answer.getStatusCode() >= 400 && text.contains(code), "got", text));
    }

    static String ask(Map<String, Object> errand, String field) throws Exception {
        say(Map.of("do", errand));
        return (String) JSONObjectUtils.parse(in.readLine()).get(field);
    }

    // A client with its keys.
    final URI redirect;
    final OIDCProviderMetadata server;
    final RSAKey key = new RSAKeyGenerator(2048).keyID("auth").keyUse(KeyUse.SIGNATURE).algorithm(JWSAlgorithm.PS256).generate();
    final ECKey box = new ECKeyGenerator(Curve.P_256).keyID("box").keyUse(KeyUse.ENCRYPTION).algorithm(JWEAlgorithm.ECDH_ES).generate();
    final DPoPProofFactory proofs = proofsOfANewKey();
    final ClientID id;

    static DPoPProofFactory proofsOfANewKey() throws Exception {
        return new DefaultDPoPProofFactory(new ECKeyGenerator(Curve.P_256).generate(), JWSAlgorithm.ES256);
    }

    Rely(OIDCProviderMetadata server, URI redirect) throws Exception {
        this.server = server;
        this.redirect = redirect;
        OIDCClientMetadata m = new OIDCClientMetadata();
        m.setName("Nimbus");
        m.setRedirectionURI(redirect);
        m.setPostLogoutRedirectionURIs(Set.of(redirect));
        m.setGrantTypes(Set.of(GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN));
        m.setTokenEndpointAuthMethod(ClientAuthenticationMethod.PRIVATE_KEY_JWT);
        m.setTokenEndpointAuthJWSAlg(JWSAlgorithm.PS256);
        m.setJWKSet(new JWKSet(java.util.List.of(key, box)).toPublicJWKSet());
        m.setIDTokenJWSAlg(JWSAlgorithm.ES256);
        m.setIDTokenJWEAlg(JWEAlgorithm.ECDH_ES);
        m.setIDTokenJWEEnc(EncryptionMethod.A256GCM);
        m.setDPoPBoundAccessTokens(true);
        m.requiresPushedAuthorizationRequests(true);
        m.setScope(new Scope("openid", "profile", "offline_access"));
        m.setCustomField("profile", "national");
        HTTPResponse answer = new OIDCClientRegistrationRequest(server.getRegistrationEndpointURI(), m, null).toHTTPRequest().send();
        OIDCClientInformation made = OIDCClientInformationResponse.parse(answer).getOIDCClientInformation();
        id = made.getID();
        equal("registered as asked", made.getOIDCMetadata().getCustomField("profile") + " " + made.getOIDCMetadata().getIDTokenJWEAlg(), "national ECDH-ES");
    }

    ClientAuthentication proof() throws Exception {
        return new PrivateKeyJWT(new JWTAuthenticationClaimsSet(id, new Audience(server.getIssuer())), JWSAlgorithm.PS256, key.toPrivateKey(), key.getKeyID(), null);
    }

    // send adds a DPoP proof.
    HTTPResponse send(HTTPRequest request, AccessToken token, DPoPProofFactory with) throws Exception {
        request.setDPoP(token == null ? with.createDPoPJWT(request.getMethod().name(), request.getURI()) : with.createDPoPJWT(request.getMethod().name(), request.getURI(), token));
        return request.send();
    }

    // Login is one on its way.
    record Login(State state, Nonce nonce, CodeVerifier verifier, URI url) {}

    Login push(Prompt prompt) throws Exception {
        State state = new State();
        Nonce nonce = new Nonce();
        CodeVerifier verifier = new CodeVerifier();
        AuthenticationRequest request = new AuthenticationRequest.Builder(ResponseType.CODE, new Scope("openid", "profile", "offline_access"), id, redirect).state(state).nonce(nonce)
            .prompt(prompt).codeChallenge(verifier, CodeChallengeMethod.S256).build();
        HTTPResponse answer = send(new PushedAuthorizationRequest(server.getPushedAuthorizationRequestEndpointURI(), proof(), request).toHTTPRequest(), null, proofs);
        URI reference = PushedAuthorizationSuccessResponse.parse(answer).getRequestURI();
        return new Login(state, nonce, verifier, new AuthorizationRequest.Builder(reference, id).endpointURI(server.getAuthorizationEndpointURI()).build().toURI());
    }

    AuthorizationResponse open(Login login, Map<String, Object> how) throws Exception {
        Map<String, Object> errand = new java.util.HashMap<>(how);
        errand.put("open", login.url.toString());
        errand.put("callback", redirect.toString());
        AuthorizationResponse response = AuthorizationResponse.parse(new URI(ask(errand, "callback")));
        if (!login.state.equals(response.getState()) || !server.getIssuer().equals(response.getIssuer())) {
            throw new Exception("not an answer to this request: " + response.toURI());
        }
        return response;
    }

    HTTPResponse redeem(AuthorizationCode code, CodeVerifier verifier) throws Exception {
        return send(new TokenRequest(server.getTokenEndpointURI(), proof(), new AuthorizationCodeGrant(code, redirect, verifier), null).toHTTPRequest(), null, proofs);
    }

    HTTPResponse refresh(RefreshToken token, ClientAuthentication as) throws Exception {
        return send(new TokenRequest(server.getTokenEndpointURI(), as, new RefreshTokenGrant(token), null).toHTTPRequest(), null, proofs);
    }

    HTTPResponse userinfo(AccessToken token, DPoPProofFactory with) throws Exception {
        return send(new UserInfoRequest(server.getUserInfoEndpointURI(), token).toHTTPRequest(), token, with);
    }

    // validate decrypts the ID token and checks it, and that it was given with this access token.
    IDTokenClaimsSet validate(JWT token, Nonce nonce, AccessToken access) throws Exception {
        IDTokenValidator validator = new IDTokenValidator(server.getIssuer(), id,
            new JWSVerificationKeySelector<>(JWSAlgorithm.ES256, JWKSourceBuilder.create(server.getJWKSetURI().toURL()).build()),
            new JWEDecryptionKeySelector<>(JWEAlgorithm.ECDH_ES, EncryptionMethod.A256GCM, new ImmutableJWKSet<>(new JWKSet(box))));
        IDTokenClaimsSet claims = validator.validate(token, nonce);
        AccessTokenValidator.validate(access, JWSAlgorithm.ES256, new AccessTokenHash(claims.getStringClaim("at_hash")));
        return claims;
    }

    static SignedJWT inside(JWT token) {
        return ((EncryptedJWT) token).getPayload().toSignedJWT();
    }

    void run() throws Exception {
        Login login = push(null);
        AuthorizationCode code = open(login, Map.of("person", "li-xiuying", "consent", true, "standing", true)).toSuccessResponse().getAuthorizationCode();
        OIDCTokenResponse tokens = OIDCTokenResponse.parse(redeem(code, login.verifier));
        AccessToken access = tokens.getOIDCTokens().getAccessToken();
        JWT idToken = tokens.getOIDCTokens().getIDToken();
        RefreshToken refresh = tokens.getOIDCTokens().getRefreshToken();
        equal("the token is bound", access.getType(), AccessTokenType.DPOP);
        equal("the ID token is encrypted", idToken instanceof EncryptedJWT, true);
        IDTokenClaimsSet claims = validate(idToken, login.nonce, access);
        equal("acr", String.valueOf(claims.getACR()), "loa3");
        UserInfoSuccessResponse user = UserInfoSuccessResponse.parse(userinfo(access, proofs));
        equal("userinfo", user.getUserInfo().getSubject() + " " + user.getUserInfo().getName(), claims.getSubject() + " 李秀英");

        refused("D13 userinfo with another key", "invalid_", userinfo(access, proofsOfANewKey()));
        Login wrong = push(null);
        refused("B04 PKCE: a foreign verifier", "invalid_grant", redeem(open(wrong, Map.of()).toSuccessResponse().getAuthorizationCode(), new CodeVerifier()));
        Login second = push(null);
        AuthorizationCode twice = open(second, Map.of()).toSuccessResponse().getAuthorizationCode();
        OIDCTokenResponse once = OIDCTokenResponse.parse(redeem(twice, second.verifier));
        refused("B06 a code works once", "invalid_grant", redeem(twice, second.verifier));
        refused("B06 a second try ends what it gave", "invalid_token", userinfo(once.getOIDCTokens().getAccessToken(), proofs));

        OIDCTokenResponse fresh = OIDCTokenResponse.parse(refresh(refresh, proof()));
        equal("no rotation", fresh.getOIDCTokens().getRefreshToken(), refresh);
        AccessToken later = fresh.getOIDCTokens().getAccessToken();
        equal("refreshed: same subject", validate(fresh.getOIDCTokens().getIDToken(), null, later).getSubject(), claims.getSubject());
        equal("refreshed: userinfo", userinfo(later, proofs).getStatusCode(), 200);
        Rely stranger = new Rely(server, redirect);
        refused("another client's refresh token", "invalid_grant", refresh(refresh, stranger.proof()));

        URI out = new LogoutRequest(server.getEndSessionEndpointURI(), inside(idToken), redirect, new State("bye")).toURI();
        equal("logged out and back", ask(Map.of("logout", out.toString()), "url"), redirect + "?state=bye");
        equal("nobody is logged in", open(push(new Prompt(Prompt.Type.NONE)), Map.of()).toErrorResponse().getErrorObject().getCode(), "login_required");

        HTTPResponse revoked = new TokenRevocationRequest(server.getRevocationEndpointURI(), proof(), refresh).toHTTPRequest().send();
        equal("revoked", revoked.getStatusCode(), 200);
        refused("refresh after that", "invalid_grant", refresh(refresh, proof()));
        refused("userinfo after that", "invalid_token", userinfo(later, proofs));
    }

    public static void main(String[] args) throws Exception {
        try {
            JSONObject config = JSONObjectUtils.parse(System.getenv("HUFU_TEST"));
            new Rely(OIDCProviderMetadata.resolve(new Issuer((String) config.get("issuer"))), new URI((String) config.get("redirect_uri"))).run();
            say(Map.of("done", true));
        } catch (Exception e) {
            java.io.StringWriter text = new java.io.StringWriter();
            e.printStackTrace(new java.io.PrintWriter(text));
            say(Map.of("fatal", text.toString()));
        }
        System.exit(0);
    }
}
